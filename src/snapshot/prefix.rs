//! How much of a directory is looked at for each snapshot.
//!
//! Slots and lanes are taken in ascending order (SPEC.md, 10.5 and 10.6), so entries far behind the last one that was ever taken are
//! nobody's. Capacities are generous; who looked at all of them would pay for what nobody uses. So a snapshot looks a little further
//! than the last one did, and at everything when owners are asked for, which is once at opening and then about once a second. What is out
//! of order is seen then, and by every snapshot afterwards: a slot that is described before many below it, when many processes start at
//! one moment, or what is left when a good part of a directory is damaged.

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
    /// How many entries to look at this time.
    pub(super) fn to_look_at(&mut self, capacity: u64) -> u64 {
        match std::mem::take(&mut self.all) {
            true => capacity,
            false => capacity.min(self.taken + FURTHER),
        }
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

    #[test]
    fn all_is_looked_at_first_and_when_asked_for_and_else_a_little_more_than_was_taken() {
        let mut prefix = Prefix::default();
        assert_eq!(prefix.to_look_at(1000), 1000);
        assert_eq!(prefix.to_look_at(1000), FURTHER);
        prefix.take(2);
        prefix.take(1);
        assert_eq!((prefix.taken(), prefix.to_look_at(1000)), (3, 3 + FURTHER));
        assert_eq!(prefix.to_look_at(10), 10);
        prefix.look_at_all();
        assert_eq!(
            (prefix.to_look_at(1000), prefix.to_look_at(1000)),
            (1000, 3 + FURTHER)
        );
    }
}
