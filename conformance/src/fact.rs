//! What must come out of a segment, stated by whoever made it, and compared with what a reader says.

use shmetrics::Value;
use shmetrics::snapshot::{Group, Histogram, Number, PerProcess, ProcessState, Quality, Snapshot};

/// One thing that a snapshot must say.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    name: String,
    labels: Vec<(String, String)>,
    known: Known,
}

#[derive(Clone, Debug, PartialEq)]
enum Known {
    Absent,
    Value(Value),
    Each(Vec<(u64, Number)>),
    Histogram(Box<HistogramFact>),
    /// Slot, status, streak, and whether it is healthy.
    States(Vec<(u64, String, u64, bool)>),
    /// Events written, dropped, held, in the fullest ring; capacity.
    Events([u64; 5]),
    /// How many were ever recorded, and the values that are shown, the oldest first.
    Samples(u64, Vec<f64>),
    /// The same of the process in a slot.
    SamplesOfProcess(u64, u64, Vec<f64>),
    /// Fields, updates, and how many may be there in part or be missing.
    Group(Vec<u64>, u64, u64),
    /// Fields and updates of the process in a slot.
    GroupOfProcess(u64, Vec<u64>, u64),
    OfProcess(u64, Option<PerProcess>),
    /// Slot, incarnation, pid; its role is the name.
    Process(u64, u64, u64),
    /// Count, first and last time of an error in the log, and whether it was cut; its text is the name.
    Error(u64, u64, u64, bool),
    /// Since when the series counts.
    Since(u64),
    /// Ids that were given.
    Ids(u64),
    /// How often series were reset.
    Resets(u64),
    /// Entries of the error log that are taken, and that are damaged.
    ErrorLog(u64, u64),
    Text(StoredText),
    InFlight(Keys),
}

/// What is known of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredText {
    /// The text, and when it was set, if one is.
    pub text: Option<(String, u64)>,
    /// Is it cut?
    pub truncated: bool,
    /// Is one set that cannot be read?
    pub unreadable: bool,
    /// Texts that were not set.
    pub refused: u64,
}

/// What is known of keys in flight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// That live processes work on.
    pub number: u64,
    /// That nobody works on.
    pub parked: u64,
    /// Starts without an entry.
    pub overflow: u64,
    /// Entries that were given to other keys.
    pub forgotten: u64,
}

/// What is known of a histogram. What is `None` is not looked at.
#[derive(Clone, Debug, Default, PartialEq)]
struct HistogramFact {
    count: u64,
    sum: f64,
    /// 0 = exact.
    error: u64,
    extremes: Option<(Option<f64>, Option<f64>)>,
    invalid: Option<u64>,
    /// Upper bounds and counts, not cumulative, of the buckets that hold something.
    buckets: Option<Vec<(f64, u64)>>,
    /// Count, sum and error of each window, shortest first.
    windows: Option<Vec<(u64, f64, u64)>>,
}

/// Equal, or both no number: what was stored is what must be shown.
fn same(a: f64, b: f64) -> bool {
    a == b || a.is_nan() && b.is_nan()
}

fn same_number(a: &Number, b: &Number) -> bool {
    match (a, b) {
        (Number::F64(a), Number::F64(b)) => same(*a, *b),
        _ => a == b,
    }
}

fn same_value(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::CounterF64(a), Value::CounterF64(b)) => same(*a, *b),
        (Value::GaugeF64(Some(a)), Value::GaugeF64(Some(b))) => same(*a, *b),
        (Value::Number(a), Value::Number(b)) => same_number(a, b),
        _ => a == b,
    }
}

impl Fact {
    fn new(name: &str, known: Known) -> Fact {
        Fact {
            name: name.to_owned(),
            labels: Vec::new(),
            known,
        }
    }

    /// So many ids were given.
    pub fn ids(given: u64) -> Fact {
        Fact::new("ids", Known::Ids(given))
    }

    /// The series is not shown.
    pub fn absent(name: &str) -> Fact {
        Fact::new(name, Known::Absent)
    }

    /// A whole-number counter.
    pub fn whole(name: &str, value: u64) -> Fact {
        Fact::new(name, Known::Value(Value::CounterU64(value)))
    }

    /// A float counter.
    pub fn float(name: &str, value: f64) -> Fact {
        Fact::new(name, Known::Value(Value::CounterF64(value)))
    }

    /// A number: whole, or a float.
    pub fn number(name: &str, value: Number) -> Fact {
        Fact::new(name, Known::Value(Value::Number(value)))
    }

    /// Samples: how many were ever recorded, and the values that are shown, the oldest first.
    pub fn samples(name: &str, count: u64, values: &[f64]) -> Fact {
        Fact::new(name, Known::Samples(count, values.to_vec()))
    }

    /// As [`samples`](Self::samples), of the process in a slot; none if the count is 0.
    pub fn samples_of_process(slot: u64, name: &str, count: u64, values: &[f64]) -> Fact {
        Fact::new(name, Known::SamplesOfProcess(slot, count, values.to_vec()))
    }

    /// A group: its fields in their order, the number of updates, and how many may be there in part or be missing (0 = exact).
    pub fn group(name: &str, fields: &[u64], updates: u64, error: u64) -> Fact {
        Fact::new(name, Known::Group(fields.to_vec(), updates, error))
    }

    /// As [`group`](Self::group), of the process in a slot; none if there were no updates.
    pub fn group_of_process(slot: u64, name: &str, fields: &[u64], updates: u64) -> Fact {
        Fact::new(name, Known::GroupOfProcess(slot, fields.to_vec(), updates))
    }

    /// A whole-number gauge of one value.
    pub fn gauge(name: &str, value: Option<i64>) -> Fact {
        Fact::new(name, Known::Value(Value::GaugeI64(value)))
    }

    /// A float gauge of one value, or the mean of a whole-number gauge.
    pub fn gauge_float(name: &str, value: Option<f64>) -> Fact {
        Fact::new(name, Known::Value(Value::GaugeF64(value)))
    }

    /// A gauge of the rule `each`: slots and values.
    pub fn each(name: &str, values: &[(u64, Number)]) -> Fact {
        Fact::new(name, Known::Each(values.to_vec()))
    }

    /// A time mark, nanoseconds since 1970; `None`: never.
    pub fn time_mark(name: &str, time: Option<u64>) -> Fact {
        Fact::new(name, Known::Value(Value::TimeMark(time)))
    }

    /// A state: slots, statuses, streaks, and whether they are healthy.
    pub fn states(name: &str, states: &[(u64, &str, u64, bool)]) -> Fact {
        let states = states
            .iter()
            .map(|&(slot, status, streak, healthy)| (slot, status.to_owned(), streak, healthy));
        Fact::new(name, Known::States(states.collect()))
    }

    /// An exact histogram: count, and sum in the exported unit.
    pub fn histogram(name: &str, count: u64, sum: f64) -> Fact {
        let fact = HistogramFact {
            count,
            sum,
            ..HistogramFact::default()
        };
        Fact::new(name, Known::Histogram(Box::new(fact)))
    }

    /// An events series: written, dropped, held, in the fullest ring; capacity.
    pub fn events(name: &str, totals: [u64; 5]) -> Fact {
        Fact::new(name, Known::Events(totals))
    }

    /// A text.
    pub fn text(name: &str, text: StoredText) -> Fact {
        Fact::new(name, Known::Text(text))
    }

    /// What is in flight.
    pub fn in_flight(name: &str, keys: Keys) -> Fact {
        Fact::new(name, Known::InFlight(keys))
    }

    /// What the process in a slot counted; `None`: nothing is told.
    pub fn of_process(slot: u64, name: &str, value: Option<PerProcess>) -> Fact {
        Fact::new(name, Known::OfProcess(slot, value))
    }

    /// Who has, or had, a slot.
    pub fn process(slot: u64, incarnation: u64, role: &str, pid: u64) -> Fact {
        Fact::new(role, Known::Process(slot, incarnation, pid))
    }

    /// An error in the log with this text, and no other like it: count, first and last time.
    pub fn error(text: &str, count: u64, first_ns: u64, last_ns: u64) -> Fact {
        Fact::new(text, Known::Error(count, first_ns, last_ns, false))
    }

    /// An error in the log whose text was cut to this.
    pub fn error_cut(text: &str, count: u64, first_ns: u64, last_ns: u64) -> Fact {
        Fact::new(text, Known::Error(count, first_ns, last_ns, true))
    }

    /// So many entries of the error log are taken, and so many are left out because they are damaged.
    pub fn error_log(taken: u64, damaged: u64) -> Fact {
        Fact::new("the error log", Known::ErrorLog(taken, damaged))
    }

    /// Since when a series counts.
    pub fn since(name: &str, since_ns: u64) -> Fact {
        Fact::new(name, Known::Since(since_ns))
    }

    /// How often series were reset.
    pub fn resets(resets: u64) -> Fact {
        Fact::new("resets", Known::Resets(resets))
    }

    /// Of the series with these labels.
    #[must_use]
    pub fn of(mut self, labels: &[(&str, &str)]) -> Fact {
        self.labels = labels
            .iter()
            .map(|&(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        self
    }

    fn change(mut self, change: impl FnOnce(&mut HistogramFact)) -> Fact {
        match &mut self.known {
            Known::Histogram(fact) => change(fact),
            other => panic!("{other:?} is no histogram"),
        }
        self
    }

    /// The histogram is bounded by this error.
    #[must_use]
    pub fn bounded(self, error: u64) -> Fact {
        self.change(|fact| fact.error = error)
    }

    /// The least and the greatest value of the histogram.
    #[must_use]
    pub fn extremes(self, min: Option<f64>, max: Option<f64>) -> Fact {
        self.change(|fact| fact.extremes = Some((min, max)))
    }

    /// Values that the histogram could not count.
    #[must_use]
    pub fn invalid(self, invalid: u64) -> Fact {
        self.change(|fact| fact.invalid = Some(invalid))
    }

    /// Upper bounds and counts, not cumulative, of the buckets that hold something.
    #[must_use]
    pub fn buckets(self, buckets: &[(f64, u64)]) -> Fact {
        self.change(|fact| fact.buckets = Some(buckets.to_vec()))
    }

    /// Count, sum and error (0 = exact) of every window, shortest first.
    #[must_use]
    pub fn windows(self, windows: &[(u64, f64, u64)]) -> Fact {
        self.change(|fact| fact.windows = Some(windows.to_vec()))
    }

    /// Does the snapshot say so? If not: what it says, and what it should.
    pub fn check(&self, snapshot: &Snapshot) -> Result<(), String> {
        let labels: Vec<(&str, &str)> = self.labels.iter().map(|(n, v)| (&**n, &**v)).collect();
        let series = snapshot.find(&self.name, &labels);
        let holds = match (&self.known, series.map(|series| &series.value)) {
            (Known::Absent, found) => found.is_none(),
            (Known::Value(value), Some(found)) => same_value(value, found),
            (Known::Each(values), Some(Value::Each(found))) => {
                let pairs = values.iter().zip(found);
                values.len() == found.len()
                    && pairs
                        .into_iter()
                        .all(|(a, b)| a.0 == b.slot && same_number(&a.1, &b.value))
            }
            (Known::Histogram(fact), Some(Value::Histogram(found))) => fact.holds(found),
            (Known::Events(totals), Some(Value::Events(found))) => {
                *totals
                    == [
                        found.written,
                        found.dropped,
                        found.held,
                        found.fullest,
                        found.capacity,
                    ]
            }
            (Known::States(states), Some(Value::State(found))) => {
                let told = |state: &ProcessState| {
                    let name = state.name().into_owned();
                    (state.slot, name, state.streak, state.is_healthy())
                };
                found.iter().map(told).eq(states.iter().cloned())
            }
            (Known::Samples(count, values), Some(Value::Samples(found))) => {
                (found.count, &found.values) == (*count, values)
            }
            (Known::SamplesOfProcess(slot, count, values), Some(_)) => {
                let found = samples_of_process(snapshot, *slot, &self.name, &labels);
                found == Some((*count, values)) || (found.is_none() && *count == 0)
            }
            (Known::Text(text), Some(Value::Text(found))) => {
                let shown = found.text().map(str::to_owned).zip(found.set_ns);
                *text
                    == StoredText {
                        text: shown,
                        truncated: found.truncated,
                        unreadable: found.unreadable,
                        refused: found.refused,
                    }
            }
            (Known::Group(fields, updates, error), Some(Value::Group(found))) => {
                fields_of(found) == *fields && (found.updates, error_of(found.quality)) == (*updates, *error)
            }
            (Known::GroupOfProcess(slot, fields, updates), Some(_)) => {
                match group_of_process(snapshot, *slot, &self.name, &labels) {
                    Some(found) => fields_of(found) == *fields && found.updates == *updates,
                    None => *updates == 0,
                }
            }
            (Known::InFlight(keys), Some(Value::InFlight(found))) => {
                *keys
                    == Keys {
                        number: found.number,
                        parked: found.parked,
                        overflow: found.overflow,
                        forgotten: found.forgotten,
                    }
            }
            (Known::OfProcess(slot, value), Some(_)) => {
                let found = of_process(snapshot, *slot, &self.name, &labels);
                return if found == *value {
                    Ok(())
                } else {
                    Err(format!(
                        "{} {labels:?} of the process in slot {slot}: {found:?}, expected {value:?}",
                        self.name
                    ))
                };
            }
            (&Known::Error(count, first_ns, last_ns, truncated), _) => {
                let found: Vec<_> = snapshot
                    .errors
                    .iter()
                    .filter(|error| *error.message == *self.name)
                    .map(|error| {
                        (
                            error.count,
                            error.first_seen_ns,
                            error.last_seen_ns,
                            error.truncated,
                        )
                    })
                    .collect();
                found == [(count, first_ns, last_ns, truncated)]
            }
            (Known::Since(since_ns), Some(_)) => series.is_some_and(|series| series.since_ns == *since_ns),
            (Known::Ids(given), _) => snapshot.ids_given == *given,
            (Known::Resets(resets), _) => snapshot.resets == *resets,
            (&Known::ErrorLog(taken, damaged), _) => {
                (snapshot.fill.errors.used, snapshot.health.errors_damaged) == (taken, damaged)
            }
            (Known::Process(slot, incarnation, pid), _) => {
                let process = snapshot.processes.iter().find(|process| process.slot == *slot);
                process.is_some_and(|process| {
                    (process.incarnation, process.pid, &*process.role) == (*incarnation, *pid, &*self.name)
                })
            }
            _ => false,
        };
        if holds {
            return Ok(());
        }
        let found = series.map(|series| &series.value);
        Err(format!(
            "{} {labels:?}: {found:?}, expected {:?}",
            self.name, self.known
        ))
    }
}

fn of_process(snapshot: &Snapshot, slot: u64, name: &str, labels: &[(&str, &str)]) -> Option<PerProcess> {
    let process = snapshot.processes.iter().find(|process| process.slot == slot)?;
    let series = snapshot.find(name, labels)?;
    let is_it = |index: &usize| std::ptr::eq(&raw const snapshot.series[*index], series);
    let value = process.values.iter().find(|(index, _)| is_it(index));
    value.map(|(_, value)| *value)
}

fn samples_of_process<'a>(
    snapshot: &'a Snapshot,
    slot: u64,
    name: &str,
    labels: &[(&str, &str)],
) -> Option<(u64, &'a Vec<f64>)> {
    let Some(PerProcess::Samples(at)) = of_process(snapshot, slot, name, labels) else {
        return None;
    };
    let process = snapshot.processes.iter().find(|process| process.slot == slot)?;
    let (_, samples) = process.samples.get(at)?;
    Some((samples.count, &samples.values))
}

fn fields_of(group: &Group) -> Vec<u64> {
    group.fields.iter().map(|field| field.value).collect()
}

fn group_of_process<'a>(
    snapshot: &'a Snapshot,
    slot: u64,
    name: &str,
    labels: &[(&str, &str)],
) -> Option<&'a Group> {
    let Some(PerProcess::Group(at)) = of_process(snapshot, slot, name, labels) else {
        return None;
    };
    let process = snapshot.processes.iter().find(|process| process.slot == slot)?;
    process.groups.get(at).map(|(_, group)| group)
}

fn error_of(quality: Quality) -> u64 {
    match quality {
        Quality::Bounded { error } => error,
        _ => 0,
    }
}

impl HistogramFact {
    fn holds(&self, found: &Histogram) -> bool {
        let filled = |found: &Histogram| -> Vec<(f64, u64)> {
            let counts = found.counts.iter().enumerate().filter(|(_, count)| **count > 0);
            counts
                .map(|(index, &count)| (found.scheme.upper_bound(index), count))
                .collect()
        };
        let windows = || {
            let windows = found.windows.iter();
            windows
                .map(|window| (window.count, window.sum, error_of(window.quality)))
                .collect::<Vec<_>>()
        };
        self.count == found.count
            && same(self.sum, found.sum)
            && self.error == error_of(found.quality)
            && self
                .extremes
                .is_none_or(|extremes| extremes == (found.min, found.max))
            && self.invalid.is_none_or(|invalid| invalid == found.invalid)
            && self
                .buckets
                .as_ref()
                .is_none_or(|buckets| *buckets == filled(found))
            && self.windows.as_ref().is_none_or(|known| *known == windows())
    }
}
