//! The process directory: who has which slot, and who is alive.
//!
//! Only the lock byte of a slot tells whether its owner lives; asking the kernel is a step of its own ([`Owners::refresh`]). The
//! verdict is kept and holds for the one incarnation it was asked for: an incarnation that came later is alive until asked again.
//!
//! A description is read between two loads of the owner word. If these differ, or the slot is being claimed, the description is
//! nobody's: pid 0, empty texts, and of its gauges only those count that outlive a process.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use crate::layout::directory::*;
use crate::layout::geometry::Geometry;
use crate::segment::ownership::slot_is_locked;
use crate::snapshot::prefix::Prefix;
use crate::sync::{Acquire, fence};
use crate::words::ReadWords;

/// One process slot as last read.
#[derive(Debug)]
pub(super) struct Slot {
    /// Incarnation and state.
    pub(super) owner: SlotOwner,
    /// Has its owner been seen alive, or not been asked for yet?
    pub(super) alive: bool,
    /// May its gauge cells be read?
    pub(super) committed: bool,
    /// The description, if `described` is the owner's incarnation and the number of its description.
    pub(super) role: Arc<str>,
    pub(super) command: Arc<str>,
    pub(super) pid: u64,
    pub(super) pid_namespace: u64,
    pub(super) start_ticks: u64,
    pub(super) claimed_ns: u64,
    described: Option<(u64, u64)>,
    /// An incarnation and whether it was alive when the kernel was asked.
    verdict: Option<(u64, bool)>,
}

impl Slot {
    /// Do gauges of every merge rule count? Those that outlive their process do in any case.
    pub(super) fn works(&self) -> bool {
        self.alive && self.owner.state() == SlotState::Active
    }

    /// The tag of the present owner on what it owns.
    pub(super) fn tag(&self, slot: usize) -> OwnerTag {
        OwnerTag::new(slot as u64, self.owner.incarnation())
    }

    fn judge(&mut self) {
        let dead = self.verdict == Some((self.owner.incarnation(), false));
        self.alive = self.owner.state() != SlotState::Free && !dead;
    }

    fn describe_nobody(&mut self, empty: &Arc<str>) {
        // Most slots were never taken: texts are shared, and to let go of one and take it again costs some atomic operations.
        if self.described.is_none() {
            return;
        }
        (self.pid, self.pid_namespace, self.start_ticks, self.claimed_ns) = (0, 0, 0, 0);
        self.role = Arc::clone(empty);
        self.command = Arc::clone(empty);
        self.described = None;
    }
}

/// All process slots.
#[derive(Debug)]
pub(super) struct Owners {
    slots: Vec<Slot>,
    prefix: Prefix,
    empty: Arc<str>,
}

impl Owners {
    /// Nothing read yet.
    pub(super) fn new(geometry: &Geometry) -> Owners {
        let empty: Arc<str> = Arc::from("");
        let slot = |_| Slot {
            owner: SlotOwner(0),
            alive: false,
            committed: false,
            role: Arc::clone(&empty),
            command: Arc::clone(&empty),
            pid: 0,
            pid_namespace: 0,
            start_ticks: 0,
            claimed_ns: 0,
            described: None,
            verdict: None,
        };
        let slots = (0..geometry.capacities.process_slots).map(slot).collect();
        Owners {
            slots,
            prefix: Prefix::default(),
            empty,
        }
    }

    /// The slots, by number. An incarnation of 0 means: never taken.
    pub(super) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// The slots up to the last one that was ever taken.
    pub(super) fn taken(&self) -> &[Slot] {
        &self.slots[..self.prefix.taken() as usize]
    }

    /// Does this tag name an owner that is alive?
    pub(super) fn is_live(&self, tag: OwnerTag) -> bool {
        let slot = tag.slot(self.slots.len() as u64).map(|slot| slot as usize);
        slot.is_some_and(|slot| self.slots[slot].alive && self.slots[slot].tag(slot) == tag)
    }

    /// Is the owner that this tag names known to be dead? An incarnation that is newer than what was read of the slot is not.
    pub(super) fn is_dead(&self, tag: OwnerTag) -> bool {
        const OLDER: u64 = 1 << 47;
        let Some(number) = tag.slot(self.slots.len() as u64) else {
            return false;
        };
        let slot = &self.slots[number as usize];
        let present = slot.tag(number as usize).incarnation();
        match present.wrapping_sub(tag.incarnation()) & ((1 << 48) - 1) {
            0 => !slot.alive,
            behind => behind < OLDER,
        }
    }

    /// Slots whose owner is found dead, and which it did not give back.
    pub(super) fn dead(&self) -> u64 {
        let dead = |slot: &&Slot| slot.owner.state() != SlotState::Free && !slot.alive;
        self.taken().iter().filter(dead).count() as u64
    }

    /// Reads the directory. Descriptions are decoded only when they are new.
    pub(super) fn update(&mut self, words: ReadWords<'_>, geometry: &Geometry) {
        for (number, slot) in self.slots.iter_mut().enumerate() {
            if !self.prefix.includes(number as u64) {
                break;
            }
            let entry = words.range(
                (geometry.process_entry_offset(number as u64) / 8) as usize,
                ENTRY_WORDS,
            );
            slot.owner = SlotOwner(entry.load(OWNER));
            slot.committed = entry.load(COMMITTED) != 0;
            if slot.owner != SlotOwner(0) || slot.committed {
                self.prefix.take(number as u64);
            }
            let incarnation = slot.owner.incarnation();
            slot.judge();
            if incarnation == 0 || slot.owner.state() == SlotState::Claiming {
                slot.describe_nobody(&self.empty);
            } else if slot.described != Some((incarnation, entry.load(DESCRIPTION))) {
                slot.describe(entry, &self.empty);
            }
        }
        self.prefix.done();
        // Orders the owner and committed words before the gauges.
        fence(Acquire);
    }

    /// Asks the kernel which owners live.
    pub(super) fn refresh(
        &mut self,
        words: ReadWords<'_>,
        geometry: &Geometry,
        file: BorrowedFd<'_>,
    ) -> io::Result<()> {
        self.prefix.look_at_all();
        for (number, slot) in self.slots.iter_mut().enumerate() {
            let at = (geometry.process_entry_offset(number as u64) / 8) as usize + OWNER;
            let before = SlotOwner(words.load(at));
            if before.incarnation() == 0 || before.state() == SlotState::Free {
                continue;
            }
            let locked = slot_is_locked(file, number as u64)?;
            let after = SlotOwner(words.load(at));
            // A lock taken by a newer incarnation says nothing for the older one, which must be dead for that.
            slot.verdict = Some((
                before.incarnation(),
                locked && after.incarnation() == before.incarnation(),
            ));
            slot.judge();
        }
        Ok(())
    }
}

const ENTRY_WORDS: usize = (PROCESS_ENTRY_LENGTH / 8) as usize;
const OWNER: usize = (PROCESS_OWNER_OFFSET / 8) as usize;
const DESCRIPTION: usize = (PROCESS_DESCRIPTION_OFFSET / 8) as usize;
const COMMITTED: usize = (PROCESS_COMMITTED_OFFSET / 8) as usize;

impl Slot {
    fn describe(&mut self, entry: ReadWords<'_>, empty: &Arc<str>) {
        // Pairs with the release store of the owner word: the description of that incarnation is visible.
        let changes = entry.load(DESCRIPTION);
        fence(Acquire);
        let word = |offset: u64| entry.load((offset / 8) as usize);
        let (pid, pid_namespace) = (word(PROCESS_PID_OFFSET), word(PROCESS_PID_NAMESPACE_OFFSET));
        let (start_ticks, claimed_ns) = (word(PROCESS_START_TICKS_OFFSET), word(PROCESS_CLAIMED_NS_OFFSET));
        let role = text::<{ PROCESS_ROLE_LENGTH as usize / 8 }>(entry, PROCESS_ROLE_OFFSET);
        let command = text::<{ PROCESS_COMMAND_LENGTH as usize / 8 }>(entry, PROCESS_COMMAND_OFFSET);
        fence(Acquire);
        if entry.load(OWNER) != self.owner.0 {
            self.describe_nobody(empty);
            self.owner = SlotOwner::new(self.owner.incarnation(), SlotState::Claiming);
            return;
        }
        if entry.load(DESCRIPTION) != changes || changes & 1 == 1 {
            // Its role is being changed: what is known of this incarnation stays, or nothing is known yet.
            if self
                .described
                .is_none_or(|(incarnation, _)| incarnation != self.owner.incarnation())
            {
                self.describe_nobody(empty);
            }
            return;
        }
        (self.pid, self.pid_namespace) = (pid, pid_namespace);
        (self.start_ticks, self.claimed_ns) = (start_ticks, claimed_ns);
        (self.role, self.command) = (role, command);
        self.described = Some((self.owner.incarnation(), changes));
    }
}

/// Text of `WORDS` words, cut at its first NUL; what is not UTF-8 is replaced.
fn text<const WORDS: usize>(entry: ReadWords<'_>, offset: u64) -> Arc<str> {
    let mut words = [0; WORDS];
    entry.copy((offset / 8) as usize, &mut words);
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into()
}
