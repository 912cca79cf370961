//! All lanes of one histogram together, before and after what was reset is subtracted.

use crate::protocol::histogram::State;
use crate::snapshot::BucketScheme;
use crate::snapshot::baseline;
use crate::snapshot::catalog::Member;
use crate::snapshot::merge::{self, LaneSum};

/// The states of all lanes of a member, added up in its own buckets.
#[derive(Debug, Default)]
pub(in crate::snapshot) struct Total {
    /// Buckets, count and invalid.
    pub(in crate::snapshot) state: State,
    pub(in crate::snapshot) sum: LaneSum,
    min: Option<f64>,
    max: Option<f64>,
}

/// What is left of a total.
pub(super) struct Rest {
    /// In the exported unit.
    pub(super) sum: f64,
    pub(super) min: Option<f64>,
    pub(super) max: Option<f64>,
    /// By how much the count may be off, beside what the lanes are.
    pub(super) error: u64,
}

impl Total {
    /// Begins anew, for a histogram of so many buckets.
    pub(in crate::snapshot) fn clear(&mut self, buckets: usize) {
        self.state.reset(buckets);
        self.state.end = buckets;
        self.sum = LaneSum::default();
        (self.min, self.max) = (None, None);
    }

    /// Adds what one lane says.
    pub(in crate::snapshot) fn add(&mut self, member: &Member, state: &State) {
        let (kind, factor) = (member.series.kind, member.series.factor);
        let touched = state.buckets.iter().enumerate().take(state.end).skip(state.first);
        for (index, &count) in touched {
            if let Some(sum) = self.state.buckets.get_mut(index) {
                *sum = sum.wrapping_add(count);
            }
        }
        self.state.count = self.state.count.wrapping_add(state.count);
        self.state.invalid = self.state.invalid.wrapping_add(state.invalid);
        self.min = merge::lesser(self.min, merge::minimum(kind, state.minimum, factor));
        self.max = merge::greater(self.max, merge::maximum(kind, state.maximum, factor));
        self.sum.add(kind, state.sum);
    }

    /// Subtracts the baseline of a group. Returns by how much its fields are below it.
    pub(in crate::snapshot) fn subtract_all(&mut self, baseline: &baseline::Block, member: &Member) -> u64 {
        self.subtract(baseline, member).error
    }

    /// Subtracts the baseline: buckets, count and invalid are then what was gained since. What would be below zero is zero, and told
    /// as error. Least and greatest are as near as the buckets that hold something allow.
    pub(super) fn subtract(&mut self, baseline: &baseline::Block, member: &Member) -> Rest {
        let state = &mut self.state;
        let (mut below, mut gained) = (0u64, 0u64);
        let (mut first, mut last) = (None, None);
        let held = baseline.state.first..baseline.state.end;
        for (index, count) in state.buckets.iter_mut().enumerate() {
            let before = match held.contains(&index) {
                true => baseline.state.buckets.get(index).copied().unwrap_or(0),
                false => 0,
            };
            below = below.saturating_add(before.saturating_sub(*count));
            *count = count.saturating_sub(before);
            gained = gained.wrapping_add(*count);
            if *count > 0 {
                first = first.or(Some(index));
                last = Some(index);
            }
        }
        state.count = gained;
        state.invalid = state.invalid.saturating_sub(baseline.state.invalid);
        let scheme = member.scheme.as_ref();
        let bound =
            |index: Option<usize>, bound: fn(&BucketScheme, usize) -> f64| Some(bound(scheme?, index?));
        Rest {
            sum: match gained {
                0 => 0.0,
                _ => {
                    self.sum.since(member.series.kind, baseline.whole, baseline.float) * member.series.factor
                }
            },
            // None if nothing was gained, or if the lanes know none.
            min: self
                .min
                .zip(bound(first, BucketScheme::lower_bound))
                .map(|(least, bound)| least.max(bound)),
            max: self
                .max
                .zip(bound(last, BucketScheme::upper_bound))
                .map(|(most, bound)| most.min(bound)),
            error: below.saturating_add(baseline.error),
        }
    }
}
