//! What is behind which name.

use shmetrics::snapshot::{Histogram, Number, PerProcess, Process, Quality};
use shmetrics::{Snapshot, Value};

/// The pipe for all.
const ALL: &str = "all.stats";

/// The names there should be.
pub(super) fn names(snapshot: Option<&Snapshot>) -> Vec<String> {
    let mut names = vec![ALL.to_owned()];
    names.extend(processes(snapshot).into_iter().map(|(name, _)| name));
    names
}

/// Live processes by name: their pid, and where two of different pid namespaces have the same the slot, too.
fn processes(snapshot: Option<&Snapshot>) -> Vec<(String, &Process)> {
    let mut named: Vec<(String, &Process)> = Vec::new();
    let all = snapshot.into_iter().flat_map(|snapshot| &snapshot.processes);
    // While it is being claimed a slot has no pid.
    for process in all.filter(|process| process.alive && process.pid > 0) {
        let mut name = format!("{}.stats", process.pid);
        if named.iter().any(|(other, _)| *other == name) {
            name = format!("{}-{}.stats", process.pid, process.slot);
        }
        named.push((name, process));
    }
    named
}

/// What a reader of the pipe gets: lines of names and values. Nothing if what it is about is gone.
pub(super) fn text(snapshot: Option<&Snapshot>, name: &str) -> String {
    let mut text = String::new();
    let Some(snapshot) = snapshot else { return text };
    if name == ALL {
        shmetrics_exposition::lines(snapshot, &mut text);
    } else if let Some((_, process)) = processes(Some(snapshot))
        .into_iter()
        .find(|(other, _)| other == name)
    {
        shmetrics_exposition::lines(&part(snapshot, process), &mut text);
    }
    text
}

/// What one process counted, as if it were all.
fn part(snapshot: &Snapshot, process: &Process) -> Snapshot {
    let mut part = Snapshot::default();
    for (index, value) in &process.values {
        let Some(series) = snapshot.series.get(*index) else {
            continue;
        };
        let mut series = series.clone();
        series.value = match (*value, series.value) {
            (PerProcess::Counter(value), Value::Number(_)) => Value::Number(value),
            (PerProcess::Counter(Number::F64(value)), _) => Value::CounterF64(value),
            (PerProcess::Counter(Number::U64(value)), _) => Value::CounterU64(value),
            (PerProcess::Gauge(Number::I64(value)), _) => Value::GaugeI64(Some(value)),
            (PerProcess::Gauge(Number::U64(value)), _) => Value::GaugeI64(i64::try_from(value).ok()),
            (PerProcess::Gauge(Number::F64(value)), _) => Value::GaugeF64(Some(value)),
            (PerProcess::Samples(at), Value::Samples(_)) => match process.samples.get(at) {
                Some((_, samples)) => Value::Samples(Box::new(samples.clone())),
                None => continue,
            },
            (PerProcess::Group(at), Value::Group(_)) => match process.groups.get(at) {
                Some((_, group)) => Value::Group(Box::new(group.clone())),
                None => continue,
            },
            (PerProcess::Histogram { count, sum }, Value::Histogram(of_all)) => {
                Value::Histogram(Box::new(without_buckets(*of_all, count, sum)))
            }
            (PerProcess::TimeMark(time), _) => Value::TimeMark(Some(time)),
            (PerProcess::State { .. }, Value::State(mut states)) => {
                states.retain(|state| state.slot == process.slot);
                Value::State(states)
            }
            _ => continue,
        };
        part.series.push(series);
    }
    part
}

/// Of one process only count and sum are known, and no quantiles.
fn without_buckets(mut histogram: Histogram, count: u64, sum: f64) -> Histogram {
    (histogram.count, histogram.sum) = (count, sum);
    (histogram.min, histogram.max, histogram.invalid) = (None, None, 0);
    histogram.counts.fill(0);
    histogram.quality = Quality::Exact;
    histogram.windows.clear();
    histogram
}
