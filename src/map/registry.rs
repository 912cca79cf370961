//! Which read-only mappings this process has: what the guard of [`crate::sigbus`] may put zeros over.
//!
//! A table of fixed size, read by a signal handler: no lock, no heap, no waiting. Each entry is guarded by a version, odd while it
//! changes; whoever meets an odd or a moved version takes the entry for another's. That is never the entry the handler looks for: the
//! thread it interrupted was reading through that mapping, which therefore is not being made or unmapped.

use crate::sync::{Acquire, AtomicBool, AtomicU64, AtomicUsize, Relaxed, Release, fence};

/// As [`crate::sigbus::MOST_GUARDED`].
pub(crate) const MOST_GUARDED: usize = 64;

/// One mapping, or an empty place (start 0).
#[derive(Debug)]
struct Entry {
    version: AtomicU64,
    start: AtomicUsize,
    length: AtomicUsize,
    /// Pages of it are gone, and zeros are in their place.
    is_lost: AtomicBool,
}

static TABLE: [Entry; MOST_GUARDED] = [const {
    Entry {
        version: AtomicU64::new(0),
        start: AtomicUsize::new(0),
        length: AtomicUsize::new(0),
        is_lost: AtomicBool::new(false),
    }
}; MOST_GUARDED];

impl Entry {
    /// Takes an empty place for a mapping.
    fn take(&self, start: usize, length: usize) -> bool {
        let version = self.version.load(Acquire);
        if version % 2 == 1 || self.start.load(Relaxed) != 0 {
            return false;
        }
        // If another took it since the first load, the version is another, too.
        let odd = self
            .version
            .compare_exchange(version, version + 1, Acquire, Relaxed);
        if odd.is_err() {
            return false;
        }
        self.change(version, start, length);
        true
    }

    /// Stores the range; the version is odd, by this thread.
    fn change(&self, version: u64, start: usize, length: usize) {
        // Who sees one of the stores below, sees the odd version.
        fence(Release);
        self.start.store(start, Relaxed);
        self.length.store(length, Relaxed);
        self.is_lost.store(false, Relaxed);
        self.version.store(version + 2, Release);
    }

    /// Where the mapping ends, if it holds this address.
    fn end_around(&self, address: usize) -> Option<usize> {
        let version = self.version.load(Acquire);
        let (start, length) = (self.start.load(Relaxed), self.length.load(Relaxed));
        fence(Acquire);
        let is_stable = version.is_multiple_of(2) && self.version.load(Relaxed) == version;
        (is_stable && address.checked_sub(start).is_some_and(|at| at < length)).then_some(start + length)
    }
}

/// A mapping's place in the table; the place is empty again when this is dropped, which must be before the mapping goes.
#[derive(Debug)]
pub(crate) struct Registration(&'static Entry);

impl Registration {
    /// Enters a mapping; `None` if the table is full.
    pub(crate) fn new(start: usize, length: usize) -> Option<Registration> {
        TABLE
            .iter()
            .find(|entry| entry.take(start, length))
            .map(Registration)
    }

    /// Were pages of the mapping replaced by zeros?
    pub(crate) fn is_lost(&self) -> bool {
        self.0.is_lost.load(Relaxed)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let version = self.0.version.load(Relaxed);
        self.0.version.store(version + 1, Relaxed);
        self.0.change(version, 0, 0);
    }
}

/// Marks the mapping that holds this address as one that has lost pages. Returns where it ends; `None` if there is none. For a signal
/// handler.
pub(crate) fn mark_lost(address: usize) -> Option<usize> {
    TABLE.iter().find_map(|entry| {
        let end = entry.end_around(address)?;
        entry.is_lost.store(true, Relaxed);
        Some(end)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // Addresses that no mapping has: the lowest page is never mapped.
    #[test]
    fn only_what_is_entered_is_found_and_only_as_long() {
        assert_eq!(mark_lost(0x10), None);
        let entry = Registration::new(0x10, 0x20).unwrap();
        assert!(!entry.is_lost());
        assert_eq!((mark_lost(0xf), mark_lost(0x30)), (None, None));
        assert!(!entry.is_lost());
        assert_eq!((mark_lost(0x10), mark_lost(0x2f)), (Some(0x30), Some(0x30)));
        assert!(entry.is_lost());
        drop(entry);
        assert_eq!(mark_lost(0x10), None);
        let again = Registration::new(0x10, 0x20).unwrap();
        assert!(!again.is_lost());
    }

    #[test]
    fn an_entry_that_changes_is_nobodys() {
        let entry = Entry {
            version: AtomicU64::new(3),
            start: AtomicUsize::new(0x100),
            length: AtomicUsize::new(0x100),
            is_lost: AtomicBool::new(false),
        };
        assert_eq!(entry.end_around(0x180), None);
        assert!(!entry.take(0x300, 1));
        entry.version.store(4, Relaxed);
        assert_eq!(entry.end_around(0x180), Some(0x200));
        assert!(!entry.take(0x300, 1), "it is taken");
    }
}
