//! Holds the lines of the reader in C against a snapshot: the same series in the same order, every number to the bit, quantiles but
//! for the rounding of `exp2`.

use shmetrics::snapshot::{BucketScheme, Description, Histogram, Number, ProcessState, Quality, Series};
use shmetrics::{Snapshot, Value};

/// How far the segment's numbers make sense.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Whole: compare everything.
    Whole,
    /// Damaged: sums may be anything, and by how much a count may be off is anybody's guess.
    Damaged,
}

/// Compares all lines with all series.
#[track_caller]
pub fn same(lines: &[String], snapshot: &Snapshot, trust: Trust) {
    let series = &snapshot.series;
    let names: Vec<String> = series.iter().map(|series| name(&series.description)).collect();
    assert_eq!(lines.len(), series.len(), "{lines:#?}\n{names:#?}");
    for ((line, series), name) in lines.iter().zip(series).zip(names) {
        let value = line
            .strip_prefix(&name)
            .unwrap_or_else(|| panic!("{line} does not begin with {name}"));
        compare(value, series, trust);
    }
}

/// What a line begins with.
fn name(description: &Description) -> String {
    let pairs: Vec<String> = description
        .labels
        .iter()
        .map(|(name, value)| format!("{}=\"{}\"", escaped(name), escaped(value)))
        .collect();
    format!("{}{{{}}} ", escaped(&description.name), pairs.join(","))
}

fn escaped(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '"' | '\\' => format!("\\{c}"),
            c if c.is_control() => format!("\\u{{{:x}}}", c as u32),
            c => c.to_string(),
        })
        .collect()
}

#[track_caller]
fn compare(found: &str, series: &Series, trust: Trust) {
    let expected = match &series.value {
        Value::CounterU64(value) => value.to_string(),
        Value::GaugeI64(value) => value.map_or("none".into(), |value| value.to_string()),
        Value::CounterF64(value) => return float(found, Some(*value), 0.0, series),
        Value::GaugeF64(value) => return float(found, *value, 0.0, series),
        Value::Each(values) => {
            let cells = found.split(' ').filter(|cell| *cell != "none");
            assert_eq!(cells.clone().count(), values.len(), "{found}: {series:?}");
            for (cell, value) in cells.zip(values) {
                let (slot, number) = cell.split_once(':').unwrap();
                assert_eq!(slot, value.slot.to_string());
                match value.value {
                    Number::I64(value) => assert_eq!(number, value.to_string()),
                    Number::F64(value) => float(number, Some(value), 0.0, series),
                    Number::U64(_) => unreachable!("a gauge is signed or a float"),
                }
            }
            return;
        }
        Value::TimeMark(value) => value.map_or("none".into(), |value| value.to_string()),
        Value::State(states) if states.is_empty() => "none".into(),
        Value::State(states) => states.iter().map(state).collect::<Vec<_>>().join(" "),
        Value::Events(totals) => format!(
            "written={} dropped={} held={} fullest={} capacity={}",
            totals.written, totals.dropped, totals.held, totals.fullest, totals.capacity
        ),
        Value::Number(Number::F64(value)) => return float(found, Some(*value), 0.0, series),
        Value::Number(Number::I64(value)) => value.to_string(),
        Value::Samples(value) => format!("recorded={}", value.count),
        Value::Text(value) => {
            let text = match (value.text(), value.set_ns) {
                (Some(text), Some(set_ns)) => format!(
                    "\"{}\" cut={} set_ns={set_ns}",
                    escaped(text),
                    u8::from(value.truncated)
                ),
                _ if value.unreadable => "unreadable".to_owned(),
                _ => "none".to_owned(),
            };
            format!("text={text} refused={}", value.refused)
        }
        Value::Group(value) => {
            let fields = value.fields.iter();
            let fields: String = fields
                .map(|field| format!(" {}={}", field.name, field.value))
                .collect();
            let bounded = match value.quality {
                Quality::Bounded { error } => format!(" bounded={error}"),
                _ => String::new(),
            };
            format!("updates={}{fields}{bounded}", value.updates)
        }
        Value::InFlight(value) => format!(
            "in_flight={} parked={} overflow={} forgotten={}",
            value.number, value.parked, value.overflow, value.forgotten
        ),
        Value::Histogram(value) => return histogram(found, value, series, trust),
        other => panic!("{other:?}"),
    };
    assert_eq!(found, expected, "{:?}", series.description);
}

/// Which process, its status (by its number, if it was not declared), its streak, and whether that is unhealthy.
fn state(state: &ProcessState) -> String {
    let number = usize::from(state.number);
    let name = match state.statuses.get(number) {
        Some(status) => format!("\"{}\"", escaped(&status.name)),
        None => number.to_string(),
    };
    let mark = if state.is_healthy() { "" } else { "!" };
    format!("{}:{name}*{}{mark}", state.slot, state.streak)
}

/// `tolerance` is relative. NaN is no number, whatever its bits.
#[track_caller]
fn float(found: &str, expected: Option<f64>, tolerance: f64, series: &Series) {
    let parse = |text: &str| text.trim_start_matches("-nan").parse().unwrap_or(f64::NAN);
    let number = (found != "none")
        .then(|| parse(found))
        .filter(|number| !number.is_nan());
    let expected = expected.filter(|number| !number.is_nan());
    let close = match (number, expected) {
        (Some(found), Some(expected)) => {
            found == expected || ((found - expected) / expected).abs() <= tolerance
        }
        (found, expected) => found == expected,
    };
    assert!(close, "{found} is not {expected:?}: {series:?}");
}

#[track_caller]
fn histogram(found: &str, expected: &Histogram, series: &Series, trust: Trust) {
    let fields: Vec<(&str, &str)> = found
        .split(' ')
        .map(|field| field.split_once('=').unwrap())
        .collect();
    let field = |name: &str| fields.iter().find(|field| field.0 == name).map(|field| field.1);
    assert_eq!(
        field("count"),
        Some(expected.count.to_string().as_str()),
        "{found}: {series:?}"
    );
    float(field("sum").unwrap(), Some(expected.sum), 0.0, series);
    float(field("min").unwrap(), expected.min, 0.0, series);
    float(field("max").unwrap(), expected.max, 0.0, series);
    let quantiles = [("p50", 0.5), ("p99", 0.99)];
    if matches!(expected.scheme, BucketScheme::Classic(_)) {
        assert_eq!(field("p50"), None);
    } else if trust == Trust::Whole {
        // Both use the C library's exp2 and log2, but not in the same expression.
        for (name, q) in quantiles {
            float(field(name).unwrap(), expected.quantile(q), 1e-14, series);
        }
    }
    match (field("bounded"), expected.quality) {
        (None, Quality::Exact) => {}
        (Some(found), Quality::Bounded { error }) => assert_eq!(found, error.to_string()),
        (found, expected) => panic!("bounded={found:?}, expected {expected:?}: {series:?}"),
    }
}
