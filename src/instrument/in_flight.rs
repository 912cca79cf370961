//! What is in flight: keys that are being worked on, over all processes.

use std::sync::Arc;

use crate::layout::directory::OwnerTag;
use crate::layout::in_flight::{Claim, InFlightShape, KeyText, OVERFLOW, key_hash};
use crate::protocol::in_flight::{End, Held, end, end_key, start};
use crate::segment::attachment::Attachment;
use crate::segment::{fork, host, liveness, thread};
use crate::sync::{Acquire, AtomicU64, Relaxed};

/// After a search that found nobody dead, so many starts of full buckets do without: asking takes some system calls.
const PATIENCE: u64 = 1024;

/// What is being worked on: which key, since when, for the how-manieth time, and by which process. All processes see one table, so a
/// key that is started again by another process is known as a retry, and what a dead process worked on is no longer in flight.
///
/// A key is any text: a request's unique key, a task's id. Of longer ones readers see the first 120 bytes. The table has 512 entries
/// unless [`capacity`](super::Builder::capacity) says otherwise, in buckets of eight. Where a bucket is full, entries of dead processes are
/// given to the new key, then parked ones, the one started longest ago first; else the start has no entry and is counted as overflow.
/// Two keys are taken for one with a chance of one in a billion per pair: readers then see one entry, and one key too many retries.
///
/// All operations are lock-free, use no heap, and may be used by any thread and in signal handlers. Cost: a hash of the key, some
/// compare-and-swaps and a fence, some tens of nanoseconds, and [`start`](Self::start) reads the clock. A process without a process slot has no
/// entries: its starts are overflow.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let path = std::env::temp_dir().join(format!("shmetrics-in-flight-{}", std::process::id()));
/// # let segment = shmetrics::Segment::options().preset(shmetrics::Preset::Compact).open_or_create_at(&path)?;
/// let requests = segment.in_flight("requests").register()?;
/// let token = requests.start("https://example.org/");
/// assert_eq!(token.runs(), 1);
/// requests.retry_later(token);
/// // Some time later, in whatever process:
/// let token = requests.start("https://example.org/");
/// assert_eq!(token.runs(), 2);
/// requests.finish(token);
/// # std::fs::remove_file(&path)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct InFlight {
    table: Arc<Table>,
}

/// The table of a series.
#[derive(Debug)]
pub(super) struct Table {
    /// `None`: of a handle that does nothing.
    attachment: Option<Arc<Attachment>>,
    /// Byte offset in the segment.
    offset: u64,
    shape: InFlightShape,
    /// Starts of full buckets to go before somebody is asked for again.
    patience: AtomicU64,
}

/// A key that was started, to be given to [`finish`](InFlight::finish), [`retry_later`](InFlight::retry_later) or
/// [`defer`](InFlight::defer) of the same series.
///
/// Dropping it ends nothing: the key stays in flight until it is started again, ended by its key, or the process ends. A forked child
/// cannot end what its parent started with it.
#[derive(Debug)]
#[must_use = "the key stays in flight until its token is given back, or it is ended by its key"]
pub struct InFlightToken {
    held: Option<Held>,
    runs: u64,
    started_ns: u64,
    generation: u64,
}

impl InFlightToken {
    /// For the how-manieth time the key was started, from 1; at most 255. Of an overflowed start 1.
    pub fn runs(&self) -> u64 {
        self.runs
    }

    /// When it was started, nanoseconds of the monotonic clock.
    pub fn started_ns(&self) -> u64 {
        self.started_ns
    }

    /// Did the start find no entry? Then readers do not see it, and a retry of it is not known as one.
    pub fn is_overflow(&self) -> bool {
        self.held.is_none()
    }
}

/// A key that was ended by its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndedKey {
    /// How often it was started; at most 255.
    pub runs: u64,
    /// When it was started last, nanoseconds of the monotonic clock, to a microsecond; `None`: it is not running, or its start is not
    /// stored yet.
    pub started_ns: Option<u64>,
}

impl Table {
    pub(super) fn noop() -> Table {
        Table {
            attachment: None,
            offset: 0,
            shape: InFlightShape::DEFAULT,
            patience: AtomicU64::new(0),
        }
    }

    pub(super) fn new(attachment: &Arc<Attachment>, placement: u64, shape: InFlightShape) -> Table {
        Table {
            attachment: Some(Arc::clone(attachment)),
            offset: attachment.geometry.shared_blocks_offset + placement,
            shape,
            patience: AtomicU64::new(0),
        }
    }

    #[inline]
    fn block(&self) -> &[AtomicU64] {
        self.attachment.as_ref().map_or(&[], |attachment| {
            attachment.words_at(self.offset, self.shape.words())
        })
    }

    #[inline]
    fn start(&self, key: &KeyText<'_>, now_us: u64) -> Option<Held> {
        let attachment = self.attachment.as_ref()?;
        let tag = OwnerTag(thread::page().slots[attachment.number].tag.load(Acquire));
        // Not in a raw clone of which another thread takes its slots right now: its token would seem to be its parent's.
        let is_own = fork::generation() != 0;
        let slot = tag.slot(attachment.geometry.capacities.process_slots);
        let Some(slot) = slot.filter(|_| is_own) else {
            if let Some(overflow) = self.block().get(OVERFLOW) {
                overflow.fetch_add(1, Relaxed);
            }
            return None;
        };
        let me = Claim::new(key.hash, slot, tag.incarnation());
        let mut dead = Dead {
            table: self,
            attachment,
            me,
            liveness: None,
            asks: None,
        };
        start(self.block(), self.shape, key, me, now_us, |claim| {
            dead.is_dead(claim)
        })
    }
}

/// Who is dead, asked for as rarely as can be.
struct Dead<'a> {
    table: &'a Table,
    attachment: &'a Attachment,
    me: Claim,
    liveness: Option<liveness::Liveness<'a>>,
    /// Is the kernel asked in this start? Not known before somebody is asked for.
    asks: Option<bool>,
}

impl Dead<'_> {
    #[cold]
    fn is_dead(&mut self, claim: Claim) -> bool {
        let asks = *self.asks.get_or_insert_with(|| {
            let patience = &self.table.patience;
            let left = patience.load(Relaxed);
            patience.store(left.checked_sub(1).unwrap_or(PATIENCE), Relaxed);
            left == 0
        });
        let is_mine =
            (claim.slot(u64::MAX), claim.incarnation()) == (self.me.slot(u64::MAX), self.me.incarnation());
        if is_mine {
            return false;
        }
        let Some(slot) = claim.slot(self.attachment.geometry.capacities.process_slots) else {
            // No slot has this number: damage, of which nobody is the owner.
            return true;
        };
        match liveness::present_tag(self.attachment, slot) {
            None => true,
            Some(tag)
                if tag.incarnation() & crate::layout::in_flight::INCARNATION_MASK != claim.incarnation() =>
            {
                true
            }
            Some(tag) => {
                let attachment = self.attachment;
                let is_dead = asks
                    && self
                        .liveness
                        .get_or_insert_with(|| liveness::Liveness::new(attachment))
                        .is_dead(tag);
                if is_dead {
                    // There may be more of it.
                    self.table.patience.store(0, Relaxed);
                }
                is_dead
            }
        }
    }
}

impl InFlight {
    pub(super) fn new(table: Table) -> InFlight {
        InFlight {
            table: Arc::new(table),
        }
    }

    /// Starts `key` now. A key that is in flight already, or that was started by somebody who died or will retry it, is taken over: that
    /// is one run more, and the earlier token ends nothing any more.
    #[inline]
    pub fn start(&self, key: &str) -> InFlightToken {
        self.start_at(key, host::monotonic_ns())
    }

    /// As [`start`](Self::start), at a time of the monotonic clock, in nanoseconds ([`monotonic_ns`](Self::monotonic_ns)).
    #[inline]
    pub fn start_at(&self, key: &str, now_ns: u64) -> InFlightToken {
        let generation = match self.table.attachment {
            Some(_) => fork::own_generation(),
            None => 0,
        };
        let held = self.table.start(&KeyText::new(key), now_ns / 1000);
        InFlightToken {
            held,
            runs: held.map_or(1, |held| held.claim.runs()),
            started_ns: now_ns,
            generation,
        }
    }

    /// The key is done: it is no longer in flight, and its next start is its first. `false`: somebody else has started it since, or
    /// ended it by its key, and it is theirs; or a forked child tried to end what its parent started. (Of an overflowed start `true`.)
    #[inline]
    pub fn finish(&self, token: InFlightToken) -> bool {
        self.end(&token, End::Finish)
    }

    /// The work ended, and the key will be started again, here or elsewhere: it is no longer in flight, and its next start is a retry.
    /// Returns as [`finish`](Self::finish).
    #[inline]
    pub fn retry_later(&self, token: InFlightToken) -> bool {
        self.end(&token, End::Park)
    }

    /// As [`retry_later`](Self::retry_later), and this start does not count: what was not begun in earnest.
    #[inline]
    pub fn defer(&self, token: InFlightToken) -> bool {
        self.end(&token, End::Defer)
    }

    #[inline]
    fn end(&self, token: &InFlightToken, how: End) -> bool {
        let Some(held) = token.held else { return true };
        // In a child the token is the parent's, who has it, too.
        token.generation == fork::generation() && end(self.table.block(), held, how)
    }

    /// As [`finish`](Self::finish), for who has no token, whoever works on the key. `None`: it is not known.
    pub fn finish_key(&self, key: &str) -> Option<EndedKey> {
        self.end_key(key, End::Finish)
    }

    /// As [`retry_later`](Self::retry_later), for who has no token, whoever works on the key. `None`: it is not known.
    pub fn retry_key_later(&self, key: &str) -> Option<EndedKey> {
        self.end_key(key, End::Park)
    }

    /// As [`defer`](Self::defer), for who has no token, whoever works on the key. `None`: it is not known.
    pub fn defer_key(&self, key: &str) -> Option<EndedKey> {
        self.end_key(key, End::Defer)
    }

    fn end_key(&self, key: &str, how: End) -> Option<EndedKey> {
        let ended = end_key(
            self.table.block(),
            self.table.shape,
            key_hash(key.as_bytes()),
            how,
        )?;
        Some(EndedKey {
            runs: ended.0,
            started_ns: ended.1.map(|us| us * 1000),
        })
    }

    /// The clock of [`start_at`](Self::start_at): `CLOCK_MONOTONIC` of the machine, in nanoseconds. No system call.
    pub fn monotonic_ns() -> u64 {
        host::monotonic_ns()
    }
}
