//! What a worker operates with: a handle of each series, and operations that are noted.

use shmetrics::{
    BlockIds, BoundCounter, Counter, Family, FloatCounter, FloatGauge, FloatHistogram, Gauge, Histogram,
    Merge, RegisterError, Segment, Unit,
};

use super::measure::{
    BOUNDS, ERRORS, EVENTS, FIRST_HISTOGRAM, LABELLED, NAMES, OTHER_GAUGES, PER_UNIT, TEXTS, TOP, WORK,
    value_of,
};
use super::statistics::{self, Deed, Doer, Statistics, Writer};
use super::tally::{Seat, Tally};
use crate::storm::random::Random;

/// Label sets that workers use: many more than a segment of the storm has series.
const LABEL_SETS: u64 = 200;
/// Drawn numbers are below it.
const GREATEST: u64 = 1 << 20;

/// A handle of each series.
#[derive(Debug)]
pub(super) struct Hands {
    pub(super) segment: Segment,
    pub(super) events: Counter,
    work: FloatCounter,
    labelled: Family<Counter, 1>,
    whole: [Histogram; 2],
    floats: [FloatHistogram; 4],
    top: Gauge,
    last: Gauge,
    each: FloatGauge,
    statistics: Statistics,
}

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Count,
    CountBound,
    CountFloat,
    Record(usize),
    Gauge,
    Labelled,
    Log,
    Statistics(Deed),
}

impl Act {
    /// Allowed anywhere: in handlers, and in children of any sort.
    pub(super) fn plain(random: &mut Random) -> Act {
        match random.below(16) {
            0 | 1 => Act::Count,
            2 => Act::CountFloat,
            9 => Act::Log,
            deed @ 10.. => Act::Statistics(Deed::ALL[(deed - 10) as usize]),
            histogram => Act::Record((histogram - 3) as usize),
        }
    }

    /// Allowed where one may also register.
    pub(super) fn any(random: &mut Random, series: bool, gauges: bool) -> Act {
        match random.below(16) {
            0 if series => Act::Labelled,
            1 => Act::CountBound,
            2 if gauges => Act::Gauge,
            _ => Act::plain(random),
        }
    }
}

/// What was falsified, for tests of the test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lie {
    None,
    /// An operation that is noted and not done.
    Lose,
    /// An operation that is done twice and noted once.
    Double,
    /// One of the kinds for statistics.
    Of(statistics::Lie),
}

impl Hands {
    pub(super) fn register(segment: &Segment) -> Result<Hands, RegisterError> {
        let [events, work, labelled, top, histograms @ ..] = NAMES;
        let whole = |name, ring| {
            let builder = segment.histogram(name).unit(Unit::Bytes).range(0, 20);
            builder.ring_slots(ring).register()
        };
        let float = |name, ring| {
            let builder = segment.histogram_float(name).range(-4, 18);
            builder.ring_slots(ring).register()
        };
        let classic = |name, ring| {
            segment
                .histogram_classic(name, &BOUNDS)
                .ring_slots(ring)
                .register()
        };
        Ok(Hands {
            segment: segment.clone(),
            events: segment.counter(events).register()?,
            work: segment.counter_float(work).register()?,
            whole: [whole(histograms[0], 2)?, whole(histograms[1], 0)?],
            floats: [
                float(histograms[2], 2)?,
                float(histograms[3], 0)?,
                classic(histograms[4], 5)?,
                classic(histograms[5], 0)?,
            ],
            top: segment.gauge(top).merge(Merge::Max).register()?,
            last: segment.gauge(OTHER_GAUGES[0]).merge(Merge::Last).register()?,
            each: segment
                .gauge_float(OTHER_GAUGES[1])
                .merge(Merge::Each)
                .register()?,
            statistics: Statistics::register(segment)?,
            labelled: segment.counter(labelled).family(["set"])?,
        })
    }

    /// One operation, noted. Without heap and locks, but for `Labelled`.
    #[inline(always)]
    pub(super) fn act(&self, act: Act, random: &mut Random, seat: &Seat<'_>, with: &With<'_>) {
        let value = random.below(GREATEST);
        match act {
            Act::Count | Act::CountBound => {
                let amount = 1 + value % 7;
                seat.begin(&[(EVENTS, amount)]);
                match with.bound {
                    Some(bound) if act == Act::CountBound => bound.add(amount),
                    _ => self.count(amount, with.lie),
                }
                seat.end(&[(EVENTS, amount)]);
            }
            Act::CountFloat => {
                let amount = 1 + value % 64;
                seat.begin(&[(WORK, amount)]);
                self.work.add(amount as f64 / PER_UNIT);
                seat.end(&[(WORK, amount)]);
            }
            Act::Record(histogram) => {
                let at = FIRST_HISTOGRAM + 2 * histogram;
                let value = value_of(histogram, value);
                let amounts = [(at + 1, value), (at, 1)];
                seat.begin(&amounts);
                match histogram {
                    0 | 1 => self.whole[histogram].record(value),
                    _ => self.floats[histogram - 2].record(value as f64 / PER_UNIT),
                }
                seat.end(&amounts);
            }
            Act::Gauge => {
                let rank = with.tally.next_rank();
                seat.begin(&[(TOP, rank)]);
                self.last.set(rank as i64);
                self.each.set(rank as f64);
                self.statistics.mark(rank, seat);
                self.top.set_max(rank as i64);
                seat.end(&[(TOP, rank)]);
            }
            Act::Log => {
                seat.begin(&[(ERRORS, 1)]);
                self.segment
                    .log_error(TEXTS[(value % TEXTS.len() as u64) as usize]);
                seat.end(&[(ERRORS, 1)]);
            }
            Act::Statistics(deed) => {
                let doer = Doer {
                    tally: with.tally,
                    seat,
                    writer: with.writer,
                    blocks: with.blocks,
                    lie: match with.lie {
                        Lie::Of(lie) => lie,
                        _ => statistics::Lie::None,
                    },
                };
                self.statistics.act(deed, value, &doer);
            }
            Act::Labelled => {
                let mut text = [0u8; 8];
                let set = label(value % LABEL_SETS, &mut text);
                seat.begin(&[(LABELLED, 1)]);
                self.labelled.with([set]).inc();
                seat.end(&[(LABELLED, 1)]);
            }
        }
    }

    #[inline(always)]
    fn count(&self, amount: u64, lie: Lie) {
        // Rare, so that it has to be looked for; and of a value that comes about.
        match lie {
            Lie::Lose if amount == 7 => {}
            Lie::Double if amount == 7 => self.events.add(2 * amount),
            _ => self.events.add(amount),
        }
    }
}

/// What an operation needs beside its handle.
#[derive(Clone, Copy, Debug)]
pub(super) struct With<'a> {
    pub(super) tally: &'a Tally,
    pub(super) bound: Option<&'a BoundCounter>,
    pub(super) writer: &'a Writer,
    pub(super) blocks: Option<&'a BlockIds>,
    pub(super) lie: Lie,
}

/// `set-17`, without the heap.
fn label(number: u64, text: &mut [u8; 8]) -> &str {
    *text = *b"set-000\0";
    for (place, divisor) in [(4, 100), (5, 10), (6, 1)] {
        text[place] = b'0' + (number / divisor % 10) as u8;
    }
    core::str::from_utf8(&text[..7]).unwrap_or("set")
}
