//! What is measured: the series of the storm, and what a snapshot says of each.

use shmetrics::snapshot::{Histogram as Told, Number, PerProcess, Quality};
use shmetrics::{Snapshot, Value};

/// Adds of whole numbers.
pub(super) const EVENTS: usize = 0;
/// Adds of floats, in eighths: their sums are exact.
pub(super) const WORK: usize = 1;
/// Adds to the family with more label sets than there is room for: all of its series together.
pub(super) const LABELLED: usize = 2;
/// The greatest value a gauge was set to.
pub(super) const TOP: usize = 3;
/// Count of the first histogram; then its sum; then those of the next.
pub(super) const FIRST_HISTOGRAM: usize = 4;
/// Whole numbers, floats, and classic; each with and without ring slots.
pub(super) const HISTOGRAMS: usize = 6;
/// Texts in the error log, all of them together.
pub(super) const ERRORS: usize = FIRST_HISTOGRAM + 2 * HISTOGRAMS;
/// Adds to the number that becomes a float, in eighths.
pub(super) const NUMBER: usize = ERRORS + 1;
/// What was added to the number that stays whole, and what was taken from it.
pub(super) const GAINED: usize = ERRORS + 2;
pub(super) const SPENT: usize = ERRORS + 3;
/// Samples.
pub(super) const SAMPLES: usize = ERRORS + 4;
/// Events, written or dropped.
pub(super) const TOLD: usize = ERRORS + 5;
/// Keys that were started, and ended or left behind.
pub(super) const STARTED: usize = ERRORS + 6;
pub(super) const ENDED: usize = ERRORS + 7;
/// How often a state was set.
pub(super) const STATES: usize = ERRORS + 8;
pub(super) const MEASURES: usize = ERRORS + 9;

/// Series of the kinds for statistics. Of some measures together there is one.
pub(super) const STATISTICS: [(usize, &str); 6] = [
    (NUMBER, "torture_number"),
    (GAINED, "torture_balance"),
    (SAMPLES, "torture_samples"),
    (TOLD, "torture_told"),
    (STARTED, "torture_keys"),
    (STATES, "torture_state"),
];
/// Time marks, of the first and the last rank.
pub(super) const MARKS: [&str; 2] = ["torture_first_mark", "torture_last_mark"];

/// Names of the measures' series; `count` and `sum` of a histogram have one.
pub(super) const NAMES: [&str; FIRST_HISTOGRAM + HISTOGRAMS] = [
    "torture_events_total",
    "torture_work_total",
    "torture_labelled_total",
    "torture_top",
    "torture_whole_bytes",
    "torture_whole_plain",
    "torture_float_ratio",
    "torture_float_plain",
    "torture_classic_ratio",
    "torture_classic_plain",
];
/// Gauges with other merge rules, set to the same values.
pub(super) const OTHER_GAUGES: [&str; 2] = ["torture_last", "torture_each"];

/// What is logged; other texts in the log are the library's.
pub(super) const TEXTS: [&str; 4] = [
    "torture: the queue is gone",
    "torture: the disk is slow",
    "torture: the host is unknown",
    "torture: the clock went back",
];

/// Floats are noted in these.
pub(super) const PER_UNIT: f64 = 8.0;

/// A total that is a maximum, not a sum.
pub(super) const fn is_maximum(measure: usize) -> bool {
    measure == TOP
}

/// The series of a measure.
pub(super) fn name(measure: usize) -> String {
    match measure.checked_sub(FIRST_HISTOGRAM) {
        _ if measure == ERRORS => "the error log".to_owned(),
        _ if measure == SPENT => "what was taken from torture_balance".to_owned(),
        _ if measure == ENDED => "ended torture_keys".to_owned(),
        _ if measure > ERRORS => {
            let known = STATISTICS.iter().find(|(known, _)| *known == measure);
            known.map_or("", |(_, name)| name).to_owned()
        }
        None => NAMES[measure].to_owned(),
        Some(n) => {
            let part = if n % 2 == 0 { "count" } else { "sum" };
            format!("{part} of {}", NAMES[FIRST_HISTOGRAM + n / 2])
        }
    }
}

/// Is this histogram recorded in eighths?
pub(super) const fn is_float(histogram: usize) -> bool {
    histogram >= 2
}

/// Bounds of the classic histograms; eighths, as all that is recorded.
pub(super) const BOUNDS: [f64; 6] = [0.5, 1.0, 8.0, 64.0, 512.0, 32768.0];

/// What is recorded, as it is noted: always the upper bound of a bucket, so that the buckets tell the sum. Powers of two are bounds at
/// any scale.
pub(super) fn value_of(histogram: usize, drawn: u64) -> u64 {
    match histogram {
        0..4 => 1 << (drawn % 20),
        _ => (BOUNDS[(drawn % BOUNDS.len() as u64) as usize] * PER_UNIT) as u64,
    }
}

/// What a snapshot says of a measure, with how much it may be off; 0 if the series is not there yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Total {
    pub(super) value: u64,
    /// `None`: nothing is said about it.
    pub(super) error: Option<u64>,
}

/// What a snapshot says, by measure.
pub(super) fn totals(snapshot: &Snapshot) -> [Total; MEASURES] {
    let mut totals = [Total {
        value: 0,
        error: Some(0),
    }; MEASURES];
    // Of these only several together can be told.
    for measure in [GAINED, SPENT, STARTED, ENDED, STATES] {
        totals[measure].error = None;
    }
    for series in &snapshot.series {
        let Some(index) = NAMES.iter().position(|name| *name == series.description.name) else {
            let is = |(_, name): &&(usize, &str)| *name == series.description.name;
            if let Some((measure, _)) = STATISTICS.iter().find(is) {
                totals[*measure].value = match &series.value {
                    Value::Number(Number::I64(value)) if *measure == NUMBER => {
                        value.unsigned_abs() * PER_UNIT as u64
                    }
                    Value::Number(Number::F64(value)) if *measure == NUMBER => eighths(*value),
                    Value::Samples(samples) => samples.count,
                    Value::Events(events) => events.written + events.dropped,
                    _ => 0,
                };
            }
            continue;
        };
        match &series.value {
            Value::CounterU64(value) => totals[index].value = totals[index].value.wrapping_add(*value),
            Value::CounterF64(value) => totals[index].value = eighths(*value),
            Value::GaugeI64(value) => totals[index].value = value.unwrap_or(0).unsigned_abs(),
            Value::Histogram(told) => {
                let histogram = index - FIRST_HISTOGRAM;
                let at = FIRST_HISTOGRAM + 2 * histogram;
                let error = error_of(told);
                totals[at] = Total {
                    value: told.count,
                    error: Some(error),
                };
                let sum = if is_float(histogram) {
                    eighths(told.sum)
                } else {
                    told.sum as u64
                };
                totals[at + 1] = Total {
                    value: sum,
                    error: (error == 0).then_some(0),
                };
            }
            _ => {}
        }
    }
    let logged = snapshot
        .errors
        .iter()
        .filter(|error| TEXTS.contains(&&*error.message));
    totals[ERRORS] = Total {
        value: logged.map(|error| error.count).sum(),
        error: Some(snapshot.losses.errors_lost),
    };
    totals
}

/// What is left of what was gained; `None` if the series is not there yet.
pub(super) fn balance(snapshot: &Snapshot) -> Option<i64> {
    let is =
        |series: &&shmetrics::snapshot::Series| STATISTICS.contains(&(GAINED, &*series.description.name));
    match snapshot.series.iter().find(is)?.value {
        Value::Number(Number::I64(value)) => Some(value),
        _ => None,
    }
}

/// The measure that one process' part of a series belongs to, and how much it is.
pub(super) fn part(name: &str, value: &PerProcess) -> Option<(usize, u64)> {
    if STATISTICS.contains(&(NUMBER, name)) {
        return match value {
            PerProcess::Counter(Number::I64(value)) => Some((NUMBER, value.unsigned_abs() * PER_UNIT as u64)),
            PerProcess::Counter(Number::F64(value)) => Some((NUMBER, eighths(*value))),
            _ => None,
        };
    }
    let index = NAMES.iter().position(|known| *known == name)?;
    match value {
        PerProcess::Counter(Number::U64(value)) => Some((index, *value)),
        PerProcess::Counter(Number::F64(value)) => Some((index, eighths(*value))),
        PerProcess::Histogram { count, .. } => {
            Some((FIRST_HISTOGRAM + 2 * (index - FIRST_HISTOGRAM), *count))
        }
        _ => None,
    }
}

const ROLE: &str = "torture-";

/// What the segment says of a worker and its children.
pub(super) fn role(worker: u64) -> String {
    format!("{ROLE}{worker}")
}

/// The worker of this role.
pub(super) fn worker_of(role: &str) -> Option<u64> {
    role.strip_prefix(ROLE)?.parse().ok()
}

/// By how much the count of a histogram may be off.
pub(super) fn error_of(told: &Told) -> u64 {
    match told.quality {
        Quality::Exact => 0,
        Quality::Bounded { error } => error,
        // A quality that is not known promises nothing.
        _ => u64::MAX,
    }
}

fn eighths(value: f64) -> u64 {
    (value * PER_UNIT) as u64
}

/// Is this the name of a gauge, of which nothing adds up?
pub(super) fn is_gauge(name: &str) -> bool {
    name == NAMES[TOP]
}
