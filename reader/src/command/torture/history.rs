//! What was done when: a window that begins at some time holds nothing of what was done before.

use std::collections::VecDeque;

use super::measure::MEASURES;

/// More than the longest windows of the storm reach back.
const LENGTH_NS: u64 = 200_000_000;
/// Between two entries: much less than an epoch.
const STEP_NS: u64 = 500_000;

/// The totals that were done at least, at some times.
#[derive(Debug, Default)]
pub(super) struct History(VecDeque<(u64, [u64; MEASURES])>);

impl History {
    /// `least` was done at `now_ns` or before.
    pub(super) fn note(&mut self, now_ns: u64, least: [u64; MEASURES]) {
        let newest = self.0.back().map_or(0, |(time, _)| *time);
        if now_ns >= newest + STEP_NS {
            self.0.push_back((now_ns, least));
        }
        // One stays that is older than all windows.
        while self.0.get(1).is_some_and(|(time, _)| time + LENGTH_NS < now_ns) {
            self.0.pop_front();
        }
    }

    /// What was done at a time, at least.
    pub(super) fn least_at(&self, time_ns: u64, measure: usize) -> u64 {
        let before = self.0.iter().rev().find(|(time, _)| *time <= time_ns);
        before.map_or(0, |(_, least)| least[measure])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_entry_before_a_time_counts() {
        let mut history = History::default();
        for step in 1..=1000 {
            history.note(step * STEP_NS, [step; MEASURES]);
        }
        let at = |step: u64| history.least_at(step * STEP_NS, 0);
        assert_eq!(
            (at(1000), at(999), history.least_at(999 * STEP_NS + 1, 0)),
            (1000, 999, 999)
        );
        // Enough of it, and not for ever.
        assert_eq!(at(1000 - LENGTH_NS / STEP_NS), 1000 - LENGTH_NS / STEP_NS);
        assert_eq!(at(1), 0);
        assert!(history.0.len() as u64 <= LENGTH_NS / STEP_NS + 2);
    }
}
