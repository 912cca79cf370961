//! What the series of an instance say, series by series.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::document::OTHER;
use super::restored::{self, Fields};
use super::run::{self, Run, Told};
use super::series::Outcome;
use super::{Figures, Percentiles, errors, names};
use crate::snapshot::{Histogram, Number, Series, Snapshot, Value};

/// What is in the series, before the past is added.
#[derive(Debug, Default)]
pub(super) struct Found {
    figures: Figures,
    pub(super) told: Told,
    /// The latest sign of life that is stored, of whatever run.
    pub(super) latest_ns: u64,
    /// The slots of live processes that are entered, ascending.
    pub(super) entered: Vec<u64>,
    /// The set in force.
    pub(super) past: Option<Fields>,
    /// The names of all fields of all sets, of which after a reset none is in force.
    pub(super) stored: BTreeSet<String>,
    /// When it was reset; 0: never.
    pub(super) reset_ns: u64,
}

/// The value of a label.
pub(super) fn label<'s>(series: &'s Series, name: &str) -> Option<&'s str> {
    let mut labels = series.description.labels.iter();
    labels.find(|(known, _)| known == name).map(|(_, value)| &**value)
}

/// Series by series.
#[derive(Default)]
pub(super) struct Gathered<'s> {
    figures: Figures,
    runs: [[i64; run::WORDS]; 2],
    alive: [u64; 2],
    /// Slot of each live process, and its run.
    sessions: Vec<(u64, i64)>,
    sets: BTreeMap<&'s str, Fields>,
    reset_ns: u64,
    /// Ends whose retries are not known, as there was no room to tell them apart.
    beyond: u64,
}

impl<'s> Gathered<'s> {
    pub(super) fn take(&mut self, name: &str, series: &'s Series) {
        let figures = &mut self.figures;
        match (name, &series.value) {
            (names::STARTED, Value::Number(number)) => {
                figures.requests_started = whole(*number).max(0) as u64
            }
            (names::RETRIED, Value::Number(number)) => figures.retries_started = whole(*number).max(0) as u64,
            (names::FINISHED, Value::CounterU64(count)) => {
                figures.requests_finished += count;
                self.retries(series, *count);
            }
            (names::FAILED, Value::CounterU64(count)) => {
                figures.requests_failed += count;
                self.retries(series, *count);
            }
            (names::DURATIONS, Value::Histogram(durations)) => self.durations(series, durations),
            (names::CODES, Value::CounterU64(count)) if *count > 0 => {
                let code = label(series, "code").unwrap_or(OTHER).to_owned();
                *figures.requests_with_status_code.entry(code).or_default() += count;
            }
            (names::ERRORS | names::RETRY_ERRORS, Value::CounterU64(count)) => {
                let part = |name| label(series, name).unwrap_or_default();
                let is_known = !series.description.overflow;
                let group = is_known.then(|| errors::group(part("location"), part("class"), part("message")));
                match name {
                    names::ERRORS => figures.errors.add(group, *count),
                    _ => figures.retry_errors.add(group, *count),
                }
            }
            (names::IN_FLIGHT, Value::InFlight(in_flight)) => {
                figures.requests_in_flight = in_flight.number;
                figures.requests_waiting = in_flight.parked;
            }
            (names::EXTRA, Value::Number(number)) => {
                if let Some(name) = label(series, "name") {
                    figures.extra.insert(name.to_owned(), *number);
                }
            }
            (names::RUN, Value::Number(number)) => {
                let field = label(series, "field");
                let word = run::FIELDS.iter().position(|known| Some(*known) == field);
                if let (Some(place), Some(word)) = (place(series), word) {
                    self.runs[place][word] = whole(*number);
                }
            }
            (names::ALIVE, Value::TimeMark(mark)) => {
                if let Some(place) = place(series) {
                    self.alive[place] = mark.unwrap_or(0);
                }
            }
            (names::SESSIONS, Value::Each(values)) => {
                let values = values.iter().map(|value| (value.slot, whole(value.value)));
                self.sessions = values.filter(|(_, run)| *run != 0).collect();
            }
            (names::RESTORED, Value::Number(number)) => {
                if let (Some(record), Some(field)) = (label(series, "record"), label(series, "field")) {
                    let set = self.sets.entry(record).or_default();
                    set.insert(field.to_owned(), whole(*number));
                }
            }
            _ => {}
        }
    }

    fn retries(&mut self, series: &Series, count: u64) {
        let retries = label(series, "retries").and_then(|retries| retries.parse::<u8>().ok());
        match retries {
            Some(retries) => add_at(
                &mut self.figures.request_retry_histogram,
                usize::from(retries),
                count,
            ),
            None => self.beyond += count,
        }
    }

    fn durations(&mut self, series: &Series, durations: &Histogram) {
        // It is reset with all others.
        if series.since_ns > series.description.created_ns {
            self.reset_ns = series.since_ns;
        }
        let figures = &mut self.figures;
        let total = Duration::from_nanos(nanoseconds(durations.sum));
        if label(series, "outcome") != Some(Outcome::Finished.name()) {
            figures.request_total_failed_duration = total;
            figures.failed_with_duration = durations.count;
            return;
        }
        figures.request_total_finished_duration = total;
        figures.finished_with_duration = durations.count;
        let duration = |seconds: f64| Duration::from_nanos(nanoseconds(seconds));
        figures.request_min_duration = durations.min.map(duration);
        figures.request_max_duration = durations.max.map(duration);
        let at = |q| durations.quantile(q).map(duration);
        if let (Some(p50), Some(p90), Some(p95), Some(p99)) = (at(0.5), at(0.9), at(0.95), at(0.99)) {
            figures.request_duration_percentiles = Some(Percentiles { p50, p90, p95, p99 });
        }
    }

    /// The run in force. After a reset of the whole segment none is stored: then the sessions say which it is, or the signs of life since
    /// then in which place it was, and it began with the reset.
    fn run(&self) -> Run {
        let stored = self.runs.iter().filter_map(|words| Run::of_words(*words));
        if let Some(run) = stored.max_by_key(|run| run.number) {
            return run;
        }
        if self.reset_ns == 0 {
            return Run::default();
        }
        let number = self.sessions.iter().map(|(_, run)| *run).max();
        Run {
            number: number.unwrap_or(match self.alive {
                [0, 0] => 0,
                [even, odd] if even > odd => 2,
                _ => 1,
            }),
            start_ns: self.reset_ns,
            before_ns: 0,
            first_ns: self.reset_ns,
            ahead_ns: 0,
        }
    }

    pub(super) fn found(mut self, instance: &str, snapshot: &Snapshot) -> Found {
        let run = self.run();
        let is_running = self.sessions.iter().any(|(_, number)| *number == run.number);
        let told = Told::new(
            run,
            is_running,
            self.alive[run.place()],
            self.reset_ns,
            snapshot.taken_at_ns,
        );
        let figures = &mut self.figures;
        figures.instance = instance.to_owned();
        figures.taken_at_ns = snapshot.taken_at_ns;
        let origin = snapshot.segment.as_ref().map(|segment| segment.origin);
        figures.segment_id = origin.map_or(0, |origin| origin.segment_id);
        figures.crawler_started_at_ns = told.first_ns;
        figures.crawler_last_started_at_ns = told.last_start_ns;
        figures.crawler_finished_at_ns = told.finished_ns;
        figures.crawler_runtime = Duration::from_nanos(told.runtime_ns);
        figures.processes = self.sessions.len() as u64;
        let histogram = &mut figures.request_retry_histogram;
        let used = histogram.iter().rposition(|count| *count > 0);
        histogram.truncate(used.map_or(0, |last| last + 1));
        if self.beyond > 0 {
            // How often is not known: where counters ran out, above 255 retries, or with hundreds of instances in a segment also below. They
            // are told as retried more often than the others, so that the sum is that of all ends.
            let last = histogram.len().saturating_sub(1).max(1);
            add_at(histogram, last, self.beyond);
        }
        let stored = self.sets.values().flat_map(BTreeMap::keys).cloned().collect();
        let past = restored::in_force(self.sets);
        Found {
            figures: self.figures,
            told,
            latest_ns: self.alive[0].max(self.alive[1]),
            entered: self.sessions.iter().map(|(slot, _)| *slot).collect(),
            past,
            stored,
            reset_ns: self.reset_ns,
        }
    }
}

impl Found {
    pub(super) fn segment_id(&self) -> u64 {
        self.figures.segment_id
    }

    /// The figures, with the past.
    pub(super) fn figures(self) -> Figures {
        let mut figures = self.figures;
        if let Some(past) = &self.past {
            figures.restored = true;
            for (field, value) in past {
                super::past::add(&mut figures, field, *value);
            }
        }
        let retried = figures.request_retry_histogram.iter().skip(1);
        let retried = retried.fold(0u64, |sum, count| sum.saturating_add(*count));
        figures.requests_retries = figures.requests_retries.saturating_add(retried);
        figures
    }
}

/// Adds to a place of a list, which grows as need be.
pub(super) fn add_at(list: &mut Vec<u64>, index: usize, count: u64) {
    if list.len() <= index {
        list.resize(index + 1, 0);
    }
    list[index] = list[index].saturating_add(count);
}

/// Which of the two places of runs a series is of.
fn place(series: &Series) -> Option<usize> {
    match label(series, "run")? {
        "0" => Some(0),
        "1" => Some(1),
        _ => None,
    }
}

fn whole(number: Number) -> i64 {
    match number {
        Number::I64(value) => value,
        Number::U64(value) => value as i64,
        Number::F64(value) => value as i64,
    }
}

/// The nearest whole number of nanoseconds.
fn nanoseconds(seconds: f64) -> u64 {
    (seconds * 1e9).round() as u64
}
