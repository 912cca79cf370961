//! How much of a directory is looked at for each snapshot.
//!
//! Slots and lanes are taken in ascending order (SPEC.md, 10.5 and 10.6), so entries far behind the last one that was ever taken are
//! nobody's. Capacities are generous; who looked at all of them would pay for what nobody uses. So a snapshot looks until so many
//! entries in a row were nobody's, however many are new to it. Of lanes none is missed, as those in use are the first ones. A slot
//! may be described before many below it, when many processes start at one moment, and a good part of a directory may be damaged:
//! so everything is looked at when owners are asked for, which is once at opening and then about once a second, and what was seen once
//! is looked at by every snapshot afterwards.

/// Entries beyond the last taken one that are looked at. Also so many that are damaged to look like nobody's hide none behind them.
const FURTHER: u64 = 64;

/// The part of a directory that was ever in use.
#[derive(Debug)]
pub(super) struct Prefix {
    /// Entries up to the last one that was seen taken.
    taken: u64,
    /// Shall all of them be looked at the next time?
    all: bool,
}

impl Default for Prefix {
    fn default() -> Self {
        Prefix { taken: 0, all: true }
    }
}

impl Prefix {
    /// Is the entry of this number, from 0, to be looked at? Asked for each in turn, until it is not.
    pub(super) fn includes(&self, number: u64) -> bool {
        self.all || number < self.taken + FURTHER
    }

    /// All that is to be looked at this time was.
    pub(super) fn done(&mut self) {
        self.all = false;
    }

    /// The next time all are looked at.
    pub(super) fn look_at_all(&mut self) {
        self.all = true;
    }

    /// The entry of this number, from 0, is or was somebody's.
    pub(super) fn take(&mut self, number: u64) {
        self.taken = self.taken.max(number + 1);
    }

    /// Entries up to the last one that was ever seen taken.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many entries are looked at, if these are somebody's.
    fn looked_at(prefix: &mut Prefix, capacity: u64, taken: &[u64]) -> u64 {
        let mut looked_at = 0;
        for number in 0..capacity {
            if !prefix.includes(number) {
                break;
            }
            looked_at += 1;
            if taken.contains(&number) {
                prefix.take(number);
            }
        }
        prefix.done();
        looked_at
    }

    #[test]
    fn all_is_looked_at_first_and_when_asked_for_and_else_a_little_more_than_was_taken() {
        let prefix = &mut Prefix::default();
        assert_eq!(looked_at(prefix, 1000, &[]), 1000);
        assert_eq!(looked_at(prefix, 1000, &[]), FURTHER);
        assert_eq!(looked_at(prefix, 1000, &[2, 1]), 3 + FURTHER);
        assert_eq!(looked_at(prefix, 10, &[]), 10);
        prefix.look_at_all();
        assert_eq!(looked_at(prefix, 1000, &[900]), 1000);
        assert_eq!(
            (prefix.taken(), looked_at(prefix, 1000, &[])),
            (901, 901 + FURTHER)
        );
    }

    #[test]
    fn however_many_are_new_none_is_missed() {
        let prefix = &mut Prefix::default();
        looked_at(prefix, 1000, &[]);
        let new: Vec<u64> = (0..700).collect();
        assert_eq!(looked_at(prefix, 1000, &new), 700 + FURTHER);
        assert_eq!(prefix.taken(), 700);
    }
}
