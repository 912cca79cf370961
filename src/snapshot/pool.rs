//! Reading the samples of one series over all lanes: the newest of all of them together.

use super::catalog::{Group, Member};
use super::lanes::{Lane, Source};
use super::samples::Samples;
use crate::layout::samples::{SAMPLES_BASELINE, SAMPLES_INVALID};
use crate::protocol::samples::{self, Sample};
use crate::words::ReadWords;

/// Attempts to read one block whose writer overwrites what is read. It would have to record a quarter of what is shown in the time
/// that it takes to copy that.
const ATTEMPTS: usize = 4;

/// Samples of several lanes, reused from read to read.
#[derive(Debug, Default)]
pub(super) struct Pool {
    candidates: Vec<Candidate>,
    copy: Vec<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    sample: Sample,
    /// Number of the lane; 0 = the shared lane.
    lane: u64,
    /// Place of the record among those of the series.
    member: usize,
}

impl Candidate {
    /// The newest first. Of samples of one time those that fewer of their lane came after, so that lanes are shown by turns.
    fn age(&self) -> impl Ord + use<> {
        let Sample { time_ns, back, .. } = self.sample;
        (
            std::cmp::Reverse(time_ns),
            back,
            self.lane,
            std::cmp::Reverse(self.member),
        )
    }
}

impl Pool {
    /// Drops all but the newest.
    fn cut(&mut self, keep: usize) {
        if self.candidates.len() > keep {
            self.candidates.select_nth_unstable_by_key(keep, Candidate::age);
            self.candidates.truncate(keep);
        }
    }

    /// Begins anew, for a series of this group.
    pub(super) fn begin(&mut self, group: &Group, into: &mut Samples) {
        self.candidates.clear();
        into.values.clear();
        (into.count, into.invalid, into.overtaken) = (0, 0, 0);
        // Of several records the newest says how many.
        let newest = group.shown().last().and_then(|member| member.series.samples());
        into.keep = newest.map_or(0, |shape| shape.shown() as u64);
    }

    /// Adds the block of a record in a lane, but what came before sample `since` + 1.
    pub(super) fn add_lane(
        &mut self,
        (place, member): (usize, &Member),
        lane: &Lane,
        block: ReadWords<'_>,
        since: u64,
        into: &mut Samples,
        source: Source<'_>,
    ) {
        let Some(shape) = member.series.samples() else {
            return;
        };
        let begun = self.candidates.len();
        let mut read = samples::Read::default();
        for attempt in 1..=ATTEMPTS {
            let Pool { candidates, copy } = self;
            candidates.truncate(begun);
            read = samples::read(block, &shape, copy, |sample| {
                candidates.push(Candidate {
                    sample,
                    lane: lane.number,
                    member: place,
                })
            });
            if read.overtaken == 0 || attempt == ATTEMPTS {
                break;
            }
            source.torn.set(source.torn.get() + 1);
        }
        // A later owner of the lane counts from its baseline on.
        let own = read.count.saturating_sub(since);
        let mut place = 0;
        self.candidates.retain(|candidate| {
            let is_new = place >= begun;
            place += 1;
            !is_new || candidate.sample.back < own
        });
        into.count = into.count.wrapping_add(own);
        into.overtaken += read.overtaken;
    }

    /// How much was added so far.
    pub(super) fn length(&self) -> usize {
        self.candidates.len()
    }

    /// Drops what was added since there was so much.
    pub(super) fn forget(&mut self, length: usize) {
        self.candidates.truncate(length);
    }

    /// Drops what is too old to be shown, once that is much: so that many lanes take no more room than a few.
    pub(super) fn tidy(&mut self, keep: u64) {
        if self.candidates.len() > 4 * keep as usize {
            self.cut(keep as usize);
        }
    }

    /// Adds the block of a record in the shared lane.
    fn add_shared(&mut self, (place, member): (usize, &Member), block: ReadWords<'_>, into: &mut Samples) {
        let Some(shape) = member.series.samples() else {
            return;
        };
        let Pool { candidates, copy } = self;
        let read = samples::read_shared(block, &shape, copy, |sample| {
            candidates.push(Candidate {
                sample,
                lane: 0,
                member: place,
            })
        });
        into.count = into.count.wrapping_add(read.count);
    }

    /// Ends a series: the newest of all that was added.
    pub(super) fn end(&mut self, into: &mut Samples) {
        self.cut(into.keep as usize);
        self.candidates
            .sort_unstable_by_key(|candidate| std::cmp::Reverse(candidate.age()));
        let values = self
            .candidates
            .iter()
            .map(|candidate| f64::from_bits(candidate.sample.value));
        into.values.extend(values);
        into.sort();
    }
}

/// Reads all records of a group over all lanes.
pub(super) fn fill(into: &mut Samples, group: &Group, source: Source<'_>, pool: &mut Pool) {
    pool.begin(group, into);
    for member in group.shown().iter().enumerate() {
        let shared = source.shared_block(member.1);
        into.invalid = into.invalid.wrapping_add(shared.load(SAMPLES_INVALID));
        pool.add_shared(member, shared, into);
        for lane in source.lanes {
            if let Some(block) = source.block(lane, member.1) {
                into.invalid = into.invalid.wrapping_add(block.load(SAMPLES_INVALID));
                pool.add_lane(member, lane, block, 0, into, source);
                pool.tidy(into.keep);
            }
        }
    }
    pool.end(into);
}

/// How many samples of a block its owner found there, if the lane was not new.
pub(super) fn baseline(block: ReadWords<'_>) -> u64 {
    block.load(SAMPLES_BASELINE)
}
