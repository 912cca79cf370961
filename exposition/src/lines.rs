//! For people and scripts: `name{label="value"}: value`, one line each.
//!
//! Names are as registered. Nothing is lost: whole numbers are exact, floats have as many digits as tell them apart. Nothing can
//! pretend to be something else: control characters, and those that hide or turn text, are written out.

use std::borrow::Cow;
use std::fmt::Write;

use shmetrics::Snapshot;
use shmetrics::snapshot::{Histogram, InFlight, Number, Quality, Samples, Series, Value};

/// Quantiles of a histogram, and what they are called.
const QUANTILES: [(f64, &str); 4] = [(0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (0.999, "p999")];
/// Percentiles of samples, by the names and the rule that statvent has.
const PERCENTILES: [(f64, &str); 4] = [(50.0, "median"), (95.0, "95th"), (99.0, "99th"), (100.0, "100th")];
/// Where in the name of a series of samples what is told of them stands.
const PLACE: &str = "{0}";

/// A number that is told of a series.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Figure<'a> {
    /// The name of the series, as registered; of samples whose name has `{0}`, with what is told in its place.
    pub name: Cow<'a, str>,
    /// What is told of it; empty if that is its value.
    pub part: Cow<'static, str>,
    /// The labels of the series.
    pub labels: &'a [(String, String)],
    /// Of a gauge with a value per process: the process, and its slot where that is needed to tell it from another.
    pub process: Option<(&'a str, Option<u64>)>,
    /// The number.
    pub number: Number,
}

/// Tells all figures of a snapshot, series by series: one of a counter, number or gauge, one per process of a gauge of each;
/// `ns` of a time mark; `streak.STATUS` per process and `healthy` of a state; of a histogram
/// `count`, `sum`, `min`, `max`, `mean`, quantiles, and `invalid` and `error` if there were any; of samples `median`, `95th`,
/// `99th`, `100th`, `mean`, in the place of `{0}` where the name has it. Of a group its fields by
/// their names, and how many updates there were. Of what is in flight the number, its ages and what found no entry;
/// its keys are not told. Of a text how many were refused, if any: it is no number. What has no value is not told.
pub fn figures(snapshot: &Snapshot, tell: &mut dyn FnMut(&Figure<'_>)) {
    for series in &snapshot.series {
        figures_of(series, tell);
    }
}

fn figures_of(series: &Series, tell: &mut dyn FnMut(&Figure<'_>)) {
    let mut value = |number: Number| tell(&Figure::of(series, "", number));
    match &series.value {
        Value::CounterU64(whole) => value(Number::U64(*whole)),
        Value::CounterF64(float) => value(Number::F64(*float)),
        Value::GaugeI64(Some(whole)) => value(Number::I64(*whole)),
        Value::GaugeF64(Some(float)) => value(Number::F64(*float)),
        Value::Number(number) => value(*number),
        Value::Each(values) => {
            let mut processes = crate::each::Processes::default();
            processes.each(values, |value, process, slot| {
                let slot = slot.then_some(value.slot);
                tell(&Figure {
                    process: Some((process, slot)),
                    ..Figure::of(series, "", value.value)
                });
            });
        }
        Value::TimeMark(Some(ns)) => tell(&Figure::of(series, "ns", Number::U64(*ns))),
        Value::State(states) => {
            let mut processes = crate::each::Processes::default();
            processes.each(states, |state, process, slot| {
                tell(&Figure {
                    process: Some((process, slot.then_some(state.slot))),
                    ..Figure::of(
                        series,
                        format!("streak.{}", state.name()),
                        Number::U64(state.streak),
                    )
                });
            });
            if let Some(healthy) = crate::each::as_gauge(&series.value) {
                tell(&Figure::of(series, "healthy", healthy));
            }
        }
        Value::Events(totals) => tell(&Figure::of(series, "", Number::U64(totals.written))),
        Value::Histogram(histogram) => histogram_figures(histogram, &mut |part, number| {
            tell(&Figure::of(series, part, number))
        }),
        Value::Samples(samples) => sample_figures(samples, &mut |part, number| {
            tell(&Figure::of(series, part, number))
        }),
        Value::Text(text) if text.refused > 0 => {
            tell(&Figure::of(series, "refused", Number::U64(text.refused)))
        }
        Value::Group(group) => {
            for field in &group.fields {
                tell(&Figure::of(
                    series,
                    field.name.to_string(),
                    Number::U64(field.value),
                ));
            }
            // Under no name: any name may be that of a field.
            tell(&Figure::of(series, "", Number::U64(group.updates)));
        }
        Value::InFlight(in_flight) => in_flight_figures(in_flight, &mut |part, number| {
            tell(&Figure::of(series, part, number))
        }),
        _ => {}
    }
}

/// Appends a line per figure ([`figures`]), and of each text that is set one with the text, in quotes.
pub fn lines(snapshot: &Snapshot, out: &mut String) {
    for series in &snapshot.series {
        if let Value::Text(value) = &series.value
            && let Some(text) = value.text()
        {
            push_start(out, &Figure::of(series, "", Number::U64(0)));
            out.push('"');
            push_tame(out, text);
            out.push_str("\"\n");
        }
        figures_of(series, &mut |figure| {
            push_start(out, figure);
            let mut digits = Vec::new();
            crate::number::push(&mut digits, figure.number);
            out.push_str(&String::from_utf8_lossy(&digits));
            out.push('\n');
        });
    }
}

/// Appends what comes before the number.
fn push_start(out: &mut String, figure: &Figure<'_>) {
    push_name(out, &figure.name);
    figure.push_rest(out, None, push_name, push_tame);
    out.push_str(": ");
}

fn histogram_figures(histogram: &Histogram, tell: &mut dyn FnMut(&'static str, Number)) {
    tell("count", Number::U64(histogram.count));
    tell("sum", Number::F64(histogram.sum));
    let parts = [
        ("min", histogram.min),
        ("max", histogram.max),
        ("mean", histogram.mean()),
    ];
    let quantiles = QUANTILES.map(|(q, name)| (name, histogram.quantile(q)));
    for (part, value) in parts.into_iter().chain(quantiles) {
        if let Some(value) = value {
            tell(part, Number::F64(value));
        }
    }
    if histogram.invalid > 0 {
        tell("invalid", Number::U64(histogram.invalid));
    }
    if let Quality::Bounded { error } = histogram.quality {
        tell("error", Number::U64(error));
    }
}

fn in_flight_figures(value: &InFlight, tell: &mut dyn FnMut(&'static str, Number)) {
    tell("", Number::U64(value.number));
    tell("age_seconds", Number::F64(value.age_seconds()));
    if let Some(oldest) = value.oldest_seconds() {
        tell("oldest_seconds", Number::F64(oldest));
    }
    let parts = [
        ("unknown_ages", value.unknown_ages),
        ("parked", value.parked),
        ("overflow", value.overflow),
        ("forgotten", value.forgotten),
    ];
    for (part, number) in parts.into_iter().filter(|(_, number)| *number > 0) {
        tell(part, Number::U64(number));
    }
}

fn sample_figures(samples: &Samples, tell: &mut dyn FnMut(&'static str, Number)) {
    let percentiles = PERCENTILES.map(|(percent, label)| (label, samples.floor_rank(percent)));
    for (label, value) in percentiles.into_iter().chain([("mean", samples.mean())]) {
        if let Some(value) = value {
            tell(label, Number::F64(value));
        }
    }
}

impl<'a> Figure<'a> {
    fn of(series: &'a Series, part: impl Into<Cow<'static, str>>, number: Number) -> Self {
        let name = &series.description.name;
        let part = part.into();
        let (name, part) = if matches!(series.value, Value::Samples(_)) && name.contains(PLACE) {
            (Cow::Owned(name.replace(PLACE, &part)), Cow::Borrowed(""))
        } else {
            (Cow::Borrowed(name.as_str()), part)
        };
        Figure {
            name,
            part,
            labels: &series.description.labels,
            process: None,
            number,
        }
    }

    /// What the figure is called where nobody can be deceived, as in JSON: the name, exactly as registered, `.` and the part, and the
    /// labels in braces, if there are any. `segment`: one more label, before the others.
    pub fn key(&self, segment: Option<&str>) -> String {
        let quoted = |out: &mut String, text: &str| {
            text.chars().for_each(|c| match c {
                '"' | '\\' => out.extend(['\\', c]),
                '\n' => out.push_str("\\n"),
                c => out.push(c),
            })
        };
        let mut key = self.name.clone().into_owned();
        self.push_rest(&mut key, segment, |out, name| out.push_str(name), quoted);
        key
    }

    /// Part and labels.
    fn push_rest(
        &self,
        out: &mut String,
        segment: Option<&str>,
        name: fn(&mut String, &str),
        value: impl Fn(&mut String, &str),
    ) {
        if !self.part.is_empty() {
            out.push('.');
            out.push_str(&self.part);
        }
        let mut open = false;
        let mut pair = |label: &str, text: &str| {
            out.push(if open { ',' } else { '{' });
            open = true;
            name(out, label);
            out.push_str("=\"");
            value(out, text);
            out.push('"');
        };
        if let Some(segment) = segment {
            pair(crate::resolve::SEGMENT, segment);
        }
        for (label, text) in self.labels {
            pair(label, text);
        }
        if let Some((process, slot)) = self.process {
            pair(crate::resolve::PROCESS, process);
            if let Some(slot) = slot {
                pair(crate::resolve::SLOT, &slot.to_string());
            }
        }
        if open {
            out.push('}');
        }
    }
}

/// Appends a name, in quotes if it could be taken for something else: it may have spaces, braces, an equals sign.
fn push_name(out: &mut String, name: &str) {
    let plain = |c: char| !c.is_whitespace() && !"{}\",=\\".contains(c);
    if !name.is_empty() && name.chars().all(plain) {
        push_tame(out, name);
    } else {
        out.push('"');
        push_tame(out, name);
        out.push('"');
    }
}

/// Appends text that can neither control a terminal nor end early.
fn push_tame(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            c if is_wild(c) => {
                let _ = write!(out, "{}", c.escape_unicode());
            }
            c => out.push(c),
        }
    }
}

/// Controls, and what hides or turns text.
fn is_wild(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_names_exactly_and_labels_after_the_segment() {
        let labels = [("b".to_owned(), "{\"x\"}".to_owned())];
        let figure = |name: &'static str, part: &'static str, labels| Figure {
            name: Cow::Borrowed(name),
            part: Cow::Borrowed(part),
            labels,
            process: None,
            number: Number::U64(1),
        };
        assert_eq!(figure("a: b \"c\" {1}", "", &[]).key(None), "a: b \"c\" {1}");
        assert_eq!(
            figure("a", "mean", &[]).key(Some("x\"y\\")),
            "a.mean{segment=\"x\\\"y\\\\\"}"
        );
        assert_eq!(
            figure("a", "", &labels).key(Some("s")),
            "a{segment=\"s\",b=\"{\\\"x\\\"}\"}"
        );
    }
}
