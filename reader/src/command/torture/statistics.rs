//! The kinds for statistics in the storm: a handle of each, operations that are noted, and what a snapshot may say of them.

use std::cell::Cell;
use std::fmt::Write;

use shmetrics::events::{EventWriter, FieldKind, Value as Field};
use shmetrics::{
    BlockIds, InFlight, Number, RegisterError, Samples, Segment, Snapshot, State, TimeMark, Value,
};

use super::measure::{
    ENDED, GAINED, MARKS, MEASURES, NUMBER, PER_UNIT, SAMPLES, SPENT, STARTED, STATES, STATISTICS, TOLD, TOP,
};
use super::tally::{Seat, Tally};
use super::worker::complain;

/// Samples that are kept, and events of a ring: few, so that rings turn over under the readers' eyes.
const KEPT: u64 = 20;
const RING: u64 = 32;
/// Keys that can be in flight: room for all workers' threads.
pub(super) const KEYS: u64 = 512;
/// Keys of a seat that one has alone: those with the lowest numbers. And of one that is shared.
const OWN_KEYS: u64 = 4;
const SHARED_KEYS: u64 = 64;
/// Statuses of the state: the last is unhealthy at once.
const STATUSES: u64 = 3;
/// Longest text of an event; those that are written are as long, shorter, or cut.
pub(super) const TEXT: usize = 12;

/// A handle of each series.
#[derive(Debug)]
pub(super) struct Statistics {
    segment: Segment,
    number: Number,
    balance: Number,
    samples: Samples,
    told: EventWriter,
    keys: InFlight,
    state: State,
    first: TimeMark,
    last: TimeMark,
}

/// One operation that anybody may do anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    Number,
    Balance,
    Sample,
    Tell,
    Key,
    Id,
}

impl Deed {
    pub(super) const ALL: [Deed; 6] = [
        Deed::Number,
        Deed::Balance,
        Deed::Sample,
        Deed::Tell,
        Deed::Key,
        Deed::Id,
    ];
}

/// Which operation is falsified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lie {
    None,
    /// An event that is noted and not written.
    Silent,
    /// Events whose numbers do not ascend.
    Disordered,
    /// A key that is noted as ended and is not.
    Kept,
    /// An id that is used twice.
    Twice,
    /// More is taken from the balance than is noted.
    Taken,
}

/// Who writes events and takes ids: a thread, or a handler, for as long as it operates. Its events have its name and ascending numbers.
#[derive(Debug, Default)]
pub(super) struct Writer {
    name: Cell<u64>,
    events: Cell<u64>,
    id: Cell<u64>,
    block_id: Cell<u64>,
}

impl Writer {
    /// A name that nobody else has.
    fn name(&self, tally: &Tally) -> u64 {
        if self.name.get() == 0 {
            self.name.set(tally.next_rank());
        }
        self.name.get()
    }
}

/// Who operates, and where it is noted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Doer<'a> {
    pub(super) tally: &'a Tally,
    pub(super) seat: &'a Seat<'a>,
    pub(super) writer: &'a Writer,
    pub(super) blocks: Option<&'a BlockIds>,
    pub(super) lie: Lie,
}

impl Statistics {
    pub(super) fn register(segment: &Segment) -> Result<Statistics, RegisterError> {
        let name = |measure| super::measure::name(measure);
        let fields = [
            ("writer", FieldKind::U64),
            ("number", FieldKind::U64),
            ("text", FieldKind::Text(TEXT as u16)),
        ];
        let told = name(TOLD);
        let events = segment.events(&told).capacity(RING).record_length(128);
        let events = events.kind(1, "told", &fields).register()?;
        let unknown = || RegisterError::Events {
            name: told.clone(),
            reason: "its kind is not there".to_owned(),
        };
        Ok(Statistics {
            segment: segment.clone(),
            number: segment.number(&name(NUMBER)).register()?,
            balance: segment.number(&name(GAINED)).register()?,
            samples: segment.samples(&name(SAMPLES)).keep(KEPT).register()?,
            told: events.kind("told").ok_or_else(unknown)?,
            keys: segment.in_flight(&name(STARTED)).capacity(KEYS).register()?,
            state: segment
                .state(&name(STATES))
                .status("fine", None)
                .status("slow", Some(3))
                .status("broken", Some(1))
                .register()?,
            first: segment.time_mark(MARKS[0]).first().register()?,
            last: segment.time_mark(MARKS[1]).register()?,
        })
    }

    /// For who may write gauges, between the notes of the greatest rank.
    pub(super) fn mark(&self, rank: u64, seat: &Seat<'_>) {
        self.first.mark_at_ns(rank);
        self.last.mark_at_ns(rank);
        seat.begin(&[(STATES, 1)]);
        self.state.set((rank % STATUSES) as u8);
        seat.end(&[(STATES, 1)]);
    }

    /// One operation, noted. Without heap and locks.
    #[inline(always)]
    pub(super) fn act(&self, deed: Deed, value: u64, doer: &Doer<'_>) {
        let seat = doer.seat;
        // Rare, so that it has to be looked for.
        let lie = if value % 16 == 5 { doer.lie } else { Lie::None };
        match deed {
            Deed::Number => {
                // In eighths: whole numbers, and parts of one.
                let (is_whole, amount) = (value & 1 == 0, 1 + value % 63);
                let noted = if is_whole {
                    amount * PER_UNIT as u64
                } else {
                    amount
                };
                seat.begin(&[(NUMBER, noted)]);
                match is_whole {
                    true => self.number.add(amount as i64),
                    false => self.number.add_float(amount as f64 / PER_UNIT),
                }
                seat.end(&[(NUMBER, noted)]);
            }
            Deed::Balance => {
                let amount = 1 + value % 1000;
                let measure = if value & 1 == 0 { GAINED } else { SPENT };
                seat.begin(&[(measure, amount)]);
                match measure {
                    GAINED => self.balance.add(amount as i64),
                    _ if lie == Lie::Taken => self.balance.add(-(2 * amount as i64)),
                    _ => self.balance.add(-(amount as i64)),
                }
                seat.end(&[(measure, amount)]);
            }
            Deed::Sample => {
                seat.begin(&[(SAMPLES, 1)]);
                self.samples.record((1 + value % 64) as f64 / PER_UNIT);
                seat.end(&[(SAMPLES, 1)]);
            }
            Deed::Tell => {
                let (writer, numbers) = (doer.writer.name(doer.tally), &doer.writer.events);
                let number = numbers.get() + 1;
                numbers.set(if lie == Lie::Disordered { 0 } else { number });
                let mut bytes = [0; 2 * TEXT];
                let values = [
                    Field::U64(writer),
                    Field::U64(number),
                    Field::Text(text(writer, number, &mut bytes)),
                ];
                seat.begin(&[(TOLD, 1)]);
                if lie != Lie::Silent {
                    self.told.write(&values);
                }
                seat.end(&[(TOLD, 1)]);
            }
            Deed::Key => self.work_on_a_key(value, lie, doer),
            Deed::Id => self.take_id(value, lie, doer),
        }
    }

    /// A key of this seat is started and ended; if nobody else has the seat, it stays its own until then. Some who share one start a key
    /// and never end it: it is in flight until they are dead. (Not a key of the writer's name: there would be so many in the
    /// end that two are the same to the table, which knows hashes.)
    fn work_on_a_key(&self, value: u64, lie: Lie, doer: &Doer<'_>) {
        let mut bytes = [0; 2 * TEXT];
        let number = match doer.seat.alone {
            true => value % OWN_KEYS,
            false => OWN_KEYS + value % SHARED_KEYS,
        };
        let key = text(doer.seat.number, number, &mut bytes);
        doer.seat.begin(&[(STARTED, 1)]);
        let token = self.keys.start(key);
        doer.seat.end(&[(STARTED, 1)]);
        doer.seat.begin(&[(ENDED, 1)]);
        let is_ended = match value / SHARED_KEYS % 8 {
            _ if lie == Lie::Kept => true,
            7 if !doer.seat.alone => true,
            0 => self.keys.retry_later(token),
            1 => self.keys.defer(token),
            _ => self.keys.finish(token),
        };
        doer.seat.end(&[(ENDED, 1)]);
        if !is_ended && doer.seat.alone {
            complain(&format!("a key was taken from who works on it: {key}"));
        }
    }

    /// An id that nobody had, greater than the one before it.
    fn take_id(&self, value: u64, lie: Lie, doer: &Doer<'_>) {
        let (taken, last) = match doer.blocks.filter(|_| value & 1 == 0) {
            Some(blocks) => (blocks.next(), &doer.writer.block_id),
            None => (self.segment.next_id(), &doer.writer.id),
        };
        // A segment that was given up has none.
        let Ok(id) = taken else { return };
        if id <= last.replace(id) {
            complain(&format!("ids do not ascend: {id} is not the greatest"));
        }
        for _ in 0..=u64::from(lie == Lie::Twice) {
            if !doer.tally.use_id(doer.seat.era, id) {
                complain(&format!("an id was given twice: {id}"));
            }
        }
    }
}

/// What an event says, or a key is called, so that whoever reads it can tell whether it is whole.
pub(super) fn text(writer: u64, number: u64, bytes: &mut [u8; 2 * TEXT]) -> &str {
    struct Into<'a>(&'a mut [u8], usize);
    impl Write for Into<'_> {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            let room = self.0.get_mut(self.1..).unwrap_or_default();
            let room = room.get_mut(..text.len()).ok_or(std::fmt::Error)?;
            room.copy_from_slice(text.as_bytes());
            self.1 += text.len();
            Ok(())
        }
    }
    let mut into = Into(bytes, 0);
    let _ = write!(into, "{number}-{writer:x}");
    let length = into.1;
    std::str::from_utf8(&bytes[..length]).unwrap_or("")
}

/// What a snapshot says of the measures here, beside those whose totals lie between done and begun.
pub(super) fn check(snapshot: &Snapshot, between: &[(u64, u64); MEASURES]) -> Result<(), String> {
    let dropped = snapshot.losses.gauge_writes_dropped > 0;
    for series in &snapshot.series {
        let name = &*series.description.name;
        let is = |measure: usize| STATISTICS.contains(&(measure, name));
        let wrong = |what: String| Err(format!("{name}: {what}"));
        match &series.value {
            Value::Number(shmetrics::snapshot::Number::I64(value)) if is(GAINED) => {
                let ((gained, gained_most), (spent, spent_most)) = (between[GAINED], between[SPENT]);
                let (least, most) = (
                    i128::from(gained) - i128::from(spent_most),
                    i128::from(gained_most) - i128::from(spent),
                );
                if !(least..=most).contains(&i128::from(*value)) {
                    return wrong(format!("{value}, but it lies between {least} and {most}"));
                }
            }
            Value::Number(value) if is(GAINED) => {
                return wrong(format!("{value:?}, and nobody added a float"));
            }
            Value::Samples(samples) => {
                let odd = |value: &&f64| {
                    let eighths = **value * PER_UNIT;
                    !(1.0..=64.0).contains(&eighths) || eighths.fract() != 0.0
                };
                let shown = samples.values.len() as u64;
                if let Some(odd) = samples.values.iter().find(odd) {
                    return wrong(format!("nobody recorded {odd}"));
                }
                if shown > KEPT || samples.invalid > 0 {
                    return wrong(format!(
                        "{shown} of {}, {} invalid",
                        samples.count, samples.invalid
                    ));
                }
            }
            Value::InFlight(keys) => {
                let own = keys.entries.iter().filter(|entry| {
                    let number = entry
                        .key()
                        .and_then(|key| key.split_once('-')?.0.parse::<u64>().ok());
                    number.is_some_and(|number| number < OWN_KEYS)
                });
                let (own, most) = (
                    own.count() as u64,
                    between[STARTED].1.saturating_sub(between[ENDED].0),
                );
                if own > most {
                    return wrong(format!("{own} in flight that are not left, at most {most} are"));
                }
            }
            Value::State(states) => {
                let most = between[STATES].1;
                let odd = |state: &&shmetrics::snapshot::ProcessState| {
                    u64::from(state.number) >= STATUSES || state.streak == 0 || state.streak > most
                };
                if let Some(odd) = states.iter().find(odd) {
                    return wrong(format!("{odd:?}, {most} were begun"));
                }
            }
            Value::TimeMark(time) if MARKS.contains(&name) => {
                let (least, most) = between[TOP];
                let least = if dropped { 0 } else { least };
                let is_right = match (time, name == MARKS[0]) {
                    (None, _) => least == 0,
                    (Some(first), true) => (1..=most).contains(first),
                    (Some(last), false) => (least.max(1)..=most).contains(last),
                };
                if !is_right {
                    return wrong(format!("{time:?}, but {least} was marked, and {most} begun"));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// When nobody is alive, nothing is in flight.
pub(super) fn check_idle(snapshot: &Snapshot) -> Result<(), String> {
    for series in &snapshot.series {
        if let Value::InFlight(keys) = &series.value
            && keys.number > 0
        {
            let (name, number) = (&series.description.name, keys.number);
            return Err(format!("{name}: {number} in flight, and nobody is alive"));
        }
    }
    Ok(())
}
