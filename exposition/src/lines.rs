//! For people and scripts: `name{label="value"}: value`, one line each.
//!
//! Names are as registered. Nothing is lost: whole numbers are exact, floats have as many digits as tell them apart. Nothing can
//! pretend to be something else: control characters, and those that hide or turn text, are written out.

use std::fmt::Write;

use shmetrics::Snapshot;
use shmetrics::snapshot::{Histogram, Number, Quality, Series, Value};

/// Quantiles of a histogram, and what they are called.
const QUANTILES: [(f64, &str); 4] = [(0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (0.999, "p999")];

/// Appends a line per value: one for a counter or gauge, one per process for a gauge of each; `ns` of a time mark;
/// `streak.STATUS` per process and `healthy` of a state; and for a histogram `count`, `sum`,
/// `min`, `max`, `mean`, quantiles, and `invalid` and `error` if there were any. What has no value has no line.
pub fn lines(snapshot: &Snapshot, out: &mut String) {
    for series in &snapshot.series {
        match &series.value {
            Value::CounterU64(value) => line(out, series, "", None, Number::U64(*value)),
            Value::CounterF64(value) => line(out, series, "", None, Number::F64(*value)),
            Value::GaugeI64(Some(value)) => line(out, series, "", None, Number::I64(*value)),
            Value::GaugeF64(Some(value)) => line(out, series, "", None, Number::F64(*value)),
            Value::Each(values) => {
                let mut processes = crate::each::Processes::default();
                processes.each(values, |value, process, slot| {
                    let slot = slot.then_some(value.slot);
                    line(out, series, "", Some((process, slot)), value.value);
                });
            }
            Value::TimeMark(Some(ns)) => line(out, series, "ns", None, Number::U64(*ns)),
            Value::State(states) => {
                let mut processes = crate::each::Processes::default();
                processes.each(states, |state, process, slot| {
                    let slot = slot.then_some(state.slot);
                    let part = format!("streak.{}", state.name());
                    line(
                        out,
                        series,
                        &part,
                        Some((process, slot)),
                        Number::U64(state.streak),
                    );
                });
                if let Some(healthy) = crate::each::as_gauge(&series.value) {
                    line(out, series, "healthy", None, healthy);
                }
            }
            Value::Events(totals) => line(out, series, "", None, Number::U64(totals.written)),
            Value::Histogram(histogram) => histogram_lines(out, series, histogram),
            _ => {}
        }
    }
}

fn histogram_lines(out: &mut String, series: &Series, histogram: &Histogram) {
    let mut tell = |part: &str, number: Number| line(out, series, part, None, number);
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

/// `name.part{label="value",process="role"}: number`
fn line(out: &mut String, series: &Series, part: &str, process: Option<(&str, Option<u64>)>, number: Number) {
    push_name(out, &series.description.name);
    if !part.is_empty() {
        out.push('.');
        push_name(out, part);
    }
    let mut open = false;
    let mut pair = |out: &mut String, name: &str, value: &str| {
        out.push(if open { ',' } else { '{' });
        open = true;
        push_name(out, name);
        out.push_str("=\"");
        push_tame(out, value);
        out.push('"');
    };
    for (name, value) in &series.description.labels {
        pair(out, name, value);
    }
    if let Some((process, slot)) = process {
        pair(out, crate::resolve::PROCESS, process);
        if let Some(slot) = slot {
            pair(out, crate::resolve::SLOT, &slot.to_string());
        }
    }
    out.push_str(if open { "}: " } else { ": " });
    let mut digits = Vec::new();
    crate::number::push(&mut digits, number);
    out.push_str(&String::from_utf8_lossy(&digits));
    out.push('\n');
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
