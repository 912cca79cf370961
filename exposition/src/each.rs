//! Gauges and states with one value per process: which labels tell the processes apart.
//!
//! A process is its role, or `slot-N` if it gave none: what stays when it is restarted, never its pid. Only where several live
//! processes have one role their slots tell them apart.

use std::cmp::Ordering;

use shmetrics::Value;
use shmetrics::snapshot::{Number, ProcessState, ProcessValue};

/// What a time mark, or the health of a state, is as a gauge; `None` if there is nothing to tell.
pub(crate) fn as_gauge(value: &Value) -> Option<Number> {
    match value {
        Value::TimeMark(Some(ns)) => Some(Number::F64(*ns as f64 / 1e9)),
        Value::State(states) if !states.is_empty() => {
            Some(Number::U64(states.iter().all(ProcessState::is_healthy).into()))
        }
        _ => None,
    }
}

/// Calls `tell` with each status that a process declared, and its streak if the process has it, else 0.
pub(crate) fn statuses(state: &ProcessState, mut tell: impl FnMut(&str, u64)) {
    let own = usize::from(state.number);
    for (number, status) in state.statuses.iter().enumerate() {
        tell(&status.name, if number == own { state.streak } else { 0 });
    }
    if own >= state.statuses.len() {
        tell(&state.name(), state.streak);
    }
}

/// Memory to sort processes in, reused.
#[derive(Debug, Default)]
pub(crate) struct Processes {
    order: Vec<usize>,
    fates: Vec<Fate>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// The only one of its name.
    Alone,
    /// Its slot must be told.
    WithSlot,
    /// A second value of one slot: the first counts.
    LeftOut,
}

/// What is told of one process.
pub(crate) trait OfProcess {
    fn slot(&self) -> u64;
    fn role(&self) -> &str;
}

impl OfProcess for ProcessValue {
    fn slot(&self) -> u64 {
        self.slot
    }
    fn role(&self) -> &str {
        &self.role
    }
}

impl OfProcess for ProcessState {
    fn slot(&self) -> u64 {
        self.slot
    }
    fn role(&self) -> &str {
        &self.role
    }
}

/// `slot-` and the 20 digits of a `u64`.
const LONGEST: usize = 25;

/// What a process is called.
fn name<'a>(value: &'a impl OfProcess, buffer: &'a mut [u8; LONGEST]) -> &'a str {
    if !value.role().is_empty() {
        return value.role();
    }
    const START: usize = 5;
    buffer[..START].copy_from_slice(b"slot-");
    let digits = value.slot().checked_ilog10().unwrap_or(0) as usize + 1;
    let mut rest = value.slot();
    for at in (START..START + digits).rev() {
        buffer[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    std::str::from_utf8(&buffer[..START + digits]).unwrap_or_default()
}

fn compare<P: OfProcess>(a: &P, b: &P) -> Ordering {
    name(a, &mut [0; LONGEST]).cmp(name(b, &mut [0; LONGEST]))
}

impl Processes {
    /// Calls `tell` with each value, the name of its process, and whether its slot must be told as well.
    pub(crate) fn each<P: OfProcess>(&mut self, values: &[P], mut tell: impl FnMut(&P, &str, bool)) {
        self.order.clear();
        self.order.extend(0..values.len());
        // The last key makes it stable; a stable sort would allocate.
        self.order.sort_unstable_by(|&a, &b| {
            let slots = values[a].slot().cmp(&values[b].slot());
            compare(&values[a], &values[b]).then(slots).then(a.cmp(&b))
        });
        self.fates.clear();
        self.fates.resize(values.len(), Fate::Alone);
        for pair in self.order.windows(2) {
            let [a, b] = [pair[0], pair[1]];
            if compare(&values[a], &values[b]) != Ordering::Equal {
                continue;
            }
            if values[a].slot() == values[b].slot() {
                self.fates[b] = Fate::LeftOut;
            } else {
                if self.fates[a] == Fate::Alone {
                    self.fates[a] = Fate::WithSlot;
                }
                self.fates[b] = Fate::WithSlot;
            }
        }
        for (value, fate) in values.iter().zip(&self.fates) {
            if *fate != Fate::LeftOut {
                tell(value, name(value, &mut [0; LONGEST]), *fate == Fate::WithSlot);
            }
        }
    }
}
