//! Series as rows: counters, gauges, histograms, and what each process counted.

use shmetrics::Value;
use shmetrics::snapshot::{
    Group, Histogram, Number, PerProcess, Process, ProcessState, ProcessValue, Quality, Samples, Series,
    Snapshot, rfc3339,
};

use super::grid::Grid;
use crate::format::units::{self, grouped, grouped_signed, quantity, seconds};
use crate::terminal::{escaped, quoted};

/// `name{label="value"}`, so that nothing looks like what it is not: quotes and backslashes in values are escaped, and names that
/// are no plain words are quoted, too.
pub(super) fn title(series: &Series) -> String {
    let description = &series.description;
    let mut title = quoted(&description.name).into_owned();
    if !description.labels.is_empty() {
        let pairs = description
            .labels
            .iter()
            .map(|(name, value)| format!("{}=\"{}\"", quoted(name), escaped(value)));
        title += &format!("{{{}}}", pairs.collect::<Vec<_>>().join(","));
    }
    title
}

fn unit(series: &Series) -> &str {
    &series.description.unit
}

/// A unit that `quantity` does not write itself.
fn foreign_unit(series: &Series) -> String {
    match unit(series) {
        "seconds" | "bytes" | "ratio" => String::new(),
        unit => quoted(unit).into_owned(),
    }
}

pub(super) fn values(series: &[&Series]) -> Grid {
    let mut grid = Grid::new(["series", "value", "unit", "rule"]);
    grid.align_left([2, 3]);
    let optional = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    for series in series {
        let quantity = |value: f64| quantity(value, unit(series));
        let whole_unit = matches!(unit(series), "seconds" | "bytes" | "ratio");
        let is_gauge = matches!(
            series.value,
            Value::GaugeI64(_) | Value::GaugeF64(_) | Value::Each(_)
        );
        let rule = if is_gauge {
            series.description.merge.name()
        } else {
            ""
        };
        let mut row = |title: String, value: String| {
            grid.row([title, value, foreign_unit(series), rule.to_owned()]);
        };
        match &series.value {
            // Whole numbers are shown whole, whatever their unit.
            Value::CounterU64(value) if whole_unit => {
                row(title(series), format!("{} {}", grouped(*value), unit(series)))
            }
            Value::CounterU64(value) => row(title(series), grouped(*value)),
            Value::CounterF64(value) => row(title(series), quantity(*value)),
            Value::Number(value) => row(title(series), plain(*value)),
            Value::GaugeI64(value) => row(title(series), optional(value.map(grouped_signed))),
            Value::GaugeF64(value) => row(title(series), optional(value.map(quantity))),
            Value::Each(values) => {
                for (each, who) in values.iter().zip(process_names(values)) {
                    row(format!("{} of {who}", title(series)), plain(each.value));
                }
            }
            Value::Events(totals) => {
                let dropped = match totals.dropped {
                    0 => String::new(),
                    dropped => format!(", {} dropped", grouped(dropped)),
                };
                row(
                    title(series),
                    format!("{} events{dropped}", grouped(totals.written)),
                );
            }
            Value::TimeMark(time) => row(title(series), optional(time.map(rfc3339))),
            Value::State(states) => {
                for state in states {
                    let who = process_name(&state.role, state.slot);
                    row(format!("{} of {who}", title(series)), status(state));
                }
            }
            Value::Text(value) => {
                let name = title(series);
                let text = match (value.text(), value.unreadable) {
                    (Some(text), _) => {
                        let cut = if value.truncated { "\u{2026}" } else { "" };
                        format!("\"{}\"{cut}", escaped(text))
                    }
                    (None, true) => "unreadable".to_owned(),
                    (None, false) => "-".to_owned(),
                };
                row(name.clone(), text);
                if value.refused > 0 {
                    row(format!("{name} refused"), grouped(value.refused));
                }
            }
            Value::Group(group) => {
                let name = title(series);
                for field in &group.fields {
                    row(format!("{name} {}", quoted(&field.name)), grouped(field.value));
                }
                row(format!("{name} updates"), count(group.updates, group.quality));
            }
            Value::InFlight(value) => {
                let name = title(series);
                let oldest = value.oldest_seconds().map_or("-".to_owned(), seconds);
                row(format!("{name} in flight"), grouped(value.number));
                row(format!("{name} oldest"), oldest);
                let parts = [
                    ("parked", value.parked),
                    ("overflow", value.overflow),
                    ("forgotten", value.forgotten),
                ];
                for (part, number) in parts.into_iter().filter(|(_, number)| *number > 0) {
                    row(format!("{name} {part}"), grouped(number));
                }
            }
            _ => {}
        }
    }
    grid
}

/// A status, its streak, and whether that is unhealthy.
fn status(state: &ProcessState) -> String {
    let unhealthy = if state.is_healthy() { "" } else { ", unhealthy" };
    format!(
        "{} \u{d7}{}{unhealthy}",
        quoted(&state.name()),
        grouped(state.streak)
    )
}

fn plain(number: Number) -> String {
    match number {
        Number::U64(value) => grouped(value),
        Number::I64(value) => grouped_signed(value),
        Number::F64(value) => units::number(value),
    }
}

/// What the processes of these values are called: where several have one name, with their slots.
fn process_names(values: &[ProcessValue]) -> Vec<String> {
    let names: Vec<String> = values
        .iter()
        .map(|each| process_name(&each.role, each.slot))
        .collect();
    let is_alone = |name: &String| names.iter().filter(|other| *other == name).count() == 1;
    let named = names.iter().zip(values);
    named
        .map(|(name, each)| match is_alone(name) {
            true => name.clone(),
            false => format!("{name} in slot {}", each.slot),
        })
        .collect()
}

fn process_name(role: &str, slot: u64) -> String {
    if role.is_empty() {
        format!("slot-{slot}")
    } else {
        quoted(role).into_owned()
    }
}

/// A count, and how much it may be off.
fn count(count: u64, quality: Quality) -> String {
    match quality {
        Quality::Exact => grouped(count),
        Quality::Bounded { error } => format!("{} ±{}", grouped(count), grouped(error)),
        _ => format!("{} ±?", grouped(count)),
    }
}

const QUANTILES: [f64; 4] = [0.5, 0.9, 0.99, 0.999];

pub(super) fn distributions(series: &[&Series]) -> Grid {
    let mut grid = Grid::new([
        "histogram",
        "count",
        "mean",
        "min",
        "p50",
        "p90",
        "p99",
        "p99.9",
        "max",
        "unit",
    ]);
    grid.align_left([9]);
    for series in series {
        let Value::Histogram(histogram) = &series.value else {
            continue;
        };
        let shown = |value: Option<f64>| value.map_or("-".to_owned(), |value| quantity(value, unit(series)));
        let mut row = vec![title(series), count(histogram.count, histogram.quality)];
        row.extend([shown(histogram.mean()), shown(histogram.min)]);
        row.extend(QUANTILES.map(|q| shown(histogram.quantile(q))));
        row.extend([shown(histogram.max), foreign_unit(series)]);
        grid.row(row);
        if histogram.invalid > 0 {
            let note = format!(
                "  and {} values that were no observation",
                grouped(histogram.invalid)
            );
            grid.row([note]);
        }
    }
    grid
}

/// The last values: percentiles by the names and the rule of `shmetrics text`.
pub(super) fn samples(series: &[&Series]) -> Grid {
    let mut grid = Grid::new([
        "samples", "recorded", "shown", "mean", "median", "95th", "99th", "100th", "unit",
    ]);
    grid.align_left([8]);
    for series in series {
        let Value::Samples(samples) = &series.value else {
            continue;
        };
        let shown = |value: Option<f64>| value.map_or("-".to_owned(), |value| quantity(value, unit(series)));
        let mut row = vec![
            title(series),
            grouped(samples.count),
            grouped(samples.values.len() as u64),
            shown(samples.mean()),
        ];
        row.extend([50.0, 95.0, 99.0, 100.0].map(|percent| shown(samples.floor_rank(percent))));
        row.push(foreign_unit(series));
        grid.row(row);
    }
    grid
}

/// The closed windows in which anything was recorded.
pub(super) fn windows(series: &[&Series]) -> Grid {
    let mut grid = Grid::new([
        "closed windows",
        "length",
        "count",
        "rate",
        "p50",
        "p90",
        "p99",
        "p99.9",
    ]);
    for series in series {
        let Value::Histogram(histogram) = &series.value else {
            continue;
        };
        for window in histogram.windows.iter().filter(|window| window.count > 0) {
            let mut row = vec![
                title(series),
                seconds(window.seconds),
                count(window.count, window.quality),
            ];
            row.push(format!("{}/s", units::number(window.rate())));
            row.extend(QUANTILES.map(|q| {
                let quantile = window.quantile(&histogram.scheme, q);
                quantile.map_or("-".to_owned(), |value| quantity(value, unit(series)))
            }));
            grid.row(row);
        }
    }
    grid
}

/// What each process counted.
pub(super) fn per_process(snapshot: &Snapshot) -> Grid {
    let mut grid = Grid::new(["process", "pid", "alive", "series", "value"]);
    grid.align_left([2, 3]);
    let processes = snapshot
        .processes
        .iter()
        .filter(|process| process.alive || !process.values.is_empty());
    for process in processes {
        let mut who = who(process);
        for (index, value) in &process.values {
            let Some(series) = snapshot.series.get(*index) else {
                continue;
            };
            let value = match *value {
                PerProcess::Counter(number) | PerProcess::Gauge(number) => plain(number),
                PerProcess::TimeMark(time) => rfc3339(time),
                PerProcess::State { .. } => match states_of(series, process.slot) {
                    Some(state) => status(state),
                    None => continue,
                },
                PerProcess::Samples(at) => {
                    let samples = process.samples.get(at).map(|(_, samples)| samples);
                    let mean = samples.and_then(Samples::mean);
                    let mean = mean.map_or("-".to_owned(), |mean| quantity(mean, unit(series)));
                    format!(
                        "{}, the last of {mean} each",
                        grouped(samples.map_or(0, |samples| samples.count))
                    )
                }
                PerProcess::Group(at) => match process.groups.get(at) {
                    Some((_, group)) => fields(group),
                    None => continue,
                },
                PerProcess::Histogram { count, sum } => {
                    let mean = sum / (count.max(1)) as f64;
                    format!("{} of {} each", grouped(count), quantity(mean, unit(series)))
                }
                _ => continue,
            };
            // The owner is named once.
            let [name, pid, alive] = std::mem::take(&mut who);
            grid.row([name, pid, alive, title(series), value]);
        }
        if process.values.is_empty() {
            grid.row(who);
        }
    }
    grid
}

/// The fields of a group on one line.
fn fields(group: &Group) -> String {
    let fields = group.fields.iter();
    let told = fields.map(|field| format!("{} {}", quoted(&field.name), grouped(field.value)));
    told.collect::<Vec<_>>().join(", ")
}

/// What a process says in a state.
fn states_of(series: &Series, slot: u64) -> Option<&ProcessState> {
    match &series.value {
        Value::State(states) => states.iter().find(|state| state.slot == slot),
        _ => None,
    }
}

pub(super) fn who(process: &Process) -> [String; 3] {
    let alive = if process.alive { "alive" } else { "dead" };
    [
        process_name(&process.role, process.slot),
        process.pid.to_string(),
        alive.to_owned(),
    ]
}

/// What the histogram costs, for `inspect`.
pub(super) fn ring_slots(histogram: &Histogram) -> String {
    // Of n slots, n - 1 pairs of neighbours make windows.
    match histogram.windows.len() {
        0 => "0 or 1".to_owned(),
        windows => (windows + 1).to_string(),
    }
}
