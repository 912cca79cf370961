//! Which handle a name has in this process: looked up by every call, without a lock, and added once.
//!
//! Open addressing. A place is null, or points to an entry that stays until the table is dropped; a name that is given another handle
//! gets another entry, and the first is kept beside it, as somebody may be using it. So a look-up is a hash, some loads, and a
//! comparison of the name. A signal handler may look up; what it finds missing it adds, which allocates.
#![allow(unsafe_code)]

use core::ptr::null_mut;

use crate::sync::{AcqRel, Acquire, AtomicPtr, AtomicUsize, Relaxed};

/// Handles by name.
pub(super) struct Names<T> {
    places: Box<[AtomicPtr<Entry<T>>]>,
    /// Names that there can be; as many more as threads add one at the same moment.
    most: usize,
    /// Names that there are.
    there: AtomicUsize,
    /// Places that are taken, or about to be: one always stays empty.
    taken: AtomicUsize,
}

struct Entry<T> {
    hash: u64,
    name: Box<str>,
    handle: T,
    /// What it replaced.
    before: *mut Entry<T>,
}

// SAFETY: entries are shared by reference and dropped with the table, so `T` must be both; the pointers are owned by the table alone.
unsafe impl<T: Send + Sync> Send for Names<T> {}
// SAFETY: as for `Send`: places are atomics, and what they point to is never changed.
unsafe impl<T: Send + Sync> Sync for Names<T> {}

impl<T> Names<T> {
    /// For at most so many names.
    pub(super) fn new(most: usize) -> Names<T> {
        // Twice as many places: short probes, and there always is an empty one.
        let places = most.saturating_add(1).saturating_mul(2).next_power_of_two();
        Names {
            places: (0..places).map(|_| AtomicPtr::new(null_mut())).collect(),
            most,
            there: AtomicUsize::new(0),
            taken: AtomicUsize::new(0),
        }
    }

    /// The handle of a name, made if it is not there; `None`: there are as many names as there can be.
    #[inline]
    pub(super) fn get(&self, name: &str, make: impl FnOnce() -> T) -> Option<&T> {
        let hash = hash_of(name);
        let (at, found) = self.find(hash, name, hash as usize);
        let entry = match found {
            Some(entry) => Some(entry),
            None => self.add(at, hash, name, make)?.1,
        };
        entry.map(|entry| &entry.handle)
    }

    /// Gives a name this handle, whatever it had. Nothing, if there are as many names as there can be.
    pub(super) fn replace(&self, name: &str, handle: T) {
        let hash = hash_of(name);
        let mut handle = Some(handle);
        let (at, entry) = self.find(hash, name, hash as usize);
        let (at, known) = match entry {
            Some(entry) => (at, entry),
            None => match self.add(at, hash, name, || handle.take().expect("it is made once")) {
                Some((at, Some(entry))) => (at, entry),
                _ => return,
            },
        };
        let Some(handle) = handle else { return };
        let place = &self.places[at];
        let mut before = core::ptr::from_ref(known).cast_mut();
        let fresh = Box::into_raw(Box::new(Entry {
            hash,
            name: name.into(),
            handle,
            before,
        }));
        // Somebody else replaces it, too: then this one comes after that.
        while let Err(now) = place.compare_exchange(before, fresh, AcqRel, Acquire) {
            before = now;
            // SAFETY: `fresh` is from `Box::into_raw` and in no place yet.
            unsafe { (*fresh).before = now };
        }
    }

    /// Where the name is from place `at` on, or the first empty place.
    #[inline]
    fn find(&self, hash: u64, name: &str, mut at: usize) -> (usize, Option<&Entry<T>>) {
        loop {
            at &= self.places.len() - 1;
            match entry(&self.places[at]) {
                None => return (at, None),
                Some(found) if found.hash == hash && *found.name == *name => return (at, Some(found)),
                // There are more places than names, so an empty one comes.
                Some(_) => at += 1,
            }
        }
    }

    #[cold]
    fn add(
        &self,
        at: usize,
        hash: u64,
        name: &str,
        make: impl FnOnce() -> T,
    ) -> Option<(usize, Option<&Entry<T>>)> {
        if self.there.load(Relaxed) >= self.most {
            // The last one may be this one, which another thread has just added.
            let (at, found) = self.find(hash, name, at);
            return found.map(|found| (at, Some(found)));
        }
        // Of threads that add one name all but one give this back. So it says how many places are needed, not how many names there are.
        let room = self.taken.fetch_update(Relaxed, Relaxed, |taken| {
            (taken + 1 < self.places.len()).then_some(taken + 1)
        });
        room.ok()?;
        let fresh = Box::into_raw(Box::new(Entry {
            hash,
            name: name.into(),
            handle: make(),
            before: null_mut(),
        }));
        let mut at = at;
        loop {
            let place = &self.places[at];
            if place.compare_exchange(null_mut(), fresh, AcqRel, Acquire).is_ok() {
                self.there.fetch_add(1, Relaxed);
                return Some((at, entry(place)));
            }
            let (next, found) = self.find(hash, name, at);
            if found.is_some() {
                // Another thread was faster.
                drop_entry(fresh);
                self.taken.fetch_sub(1, Relaxed);
                return Some((next, found));
            }
            at = next;
        }
    }
}

/// By words, so that a name of usual length costs a few multiplications.
#[inline]
fn hash_of(name: &str) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |hash: u64, word: u64| (hash.rotate_left(23) ^ word).wrapping_mul(FACTOR);
    let (words, rest) = name.as_bytes().as_chunks::<8>();
    let hash = words.iter().fold(name.len() as u64, |hash, word| {
        mix(hash, u64::from_le_bytes(*word))
    });
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let hash = mix(hash, u64::from_le_bytes(last));
    // The low bits choose the place: they must depend on all.
    hash ^ hash >> 32
}

/// The entry in a place.
#[inline]
fn entry<T>(place: &AtomicPtr<Entry<T>>) -> Option<&Entry<T>> {
    // SAFETY: a place is null or holds a pointer from `Box::into_raw`, published with release by `add` or `replace`. Entries are freed
    // only when the table is dropped, which needs `&mut self`, or before any place had them; so it outlives the borrow of `place`.
    unsafe { place.load(Acquire).as_ref() }
}

fn drop_entry<T>(entry: *mut Entry<T>) {
    // SAFETY: the pointer is from `Box::into_raw`, and no place and no other entry holds it (any more).
    drop(unsafe { Box::from_raw(entry) });
}

impl<T> Drop for Names<T> {
    fn drop(&mut self) {
        for place in &mut self.places {
            let mut entry = core::mem::replace(place.get_mut(), null_mut());
            while !entry.is_null() {
                // SAFETY: the table owns every entry in a place, and through it those that it replaced; nobody else has `self` now.
                let before = unsafe { (*entry).before };
                drop_entry(entry);
                entry = before;
            }
        }
    }
}

impl<T> std::fmt::Debug for Names<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Names")
            .field("taken", &self.taken.load(Relaxed))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_apart_up_to_their_number() {
        let names: Names<usize> = Names::new(1000);
        for n in 0..1000 {
            assert_eq!(names.get(&format!("name {n}"), || n), Some(&n));
        }
        for n in 0..1000 {
            assert_eq!(
                names.get(&format!("name {n}"), || panic!("it is there")),
                Some(&n)
            );
        }
        assert_eq!(names.get("one more", || 1), None);
        names.replace("one more", 1);
        assert_eq!(names.get("one more", || 1), None);
        names.replace("name 7", 77);
        assert_eq!(names.get("name 7", || 0), Some(&77));
    }

    #[test]
    fn of_threads_that_race_one_makes_the_handle() {
        let names: Names<u64> = Names::new(64);
        let start = std::sync::Barrier::new(4);
        std::thread::scope(|scope| {
            for thread in 0..4u64 {
                let (names, start) = (&names, &start);
                scope.spawn(move || {
                    start.wait();
                    for n in 0..64 {
                        let name = format!("name {n}");
                        let found = *names.get(&name, || thread).unwrap();
                        // Thread 0 may replace it in between.
                        let again = *names.get(&name, || thread).unwrap();
                        assert!(again == found || again == 4, "{found} became {again}");
                        if thread == 0 {
                            names.replace(&name, 4);
                        }
                    }
                });
            }
        });
        assert!((0..64).all(|n| names.get(&format!("name {n}"), || 9) == Some(&4)));
    }
}
