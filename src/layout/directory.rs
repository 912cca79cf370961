//! The directories: who owns which process slot and which lane.
//!
//! ```text
//! process entry, 384 bytes                              lane entry, 128 bytes
//! 0x000 owner      incarnation << 2 | state             0x00 owner         slot + 1 << 48 | slot incarnation
//! 0x008 committed  bytes of the slot                    0x08 incarnation   how often the lane was taken
//! 0x010 description  changes of it, times two
//! 0x080 pid · pid namespace · start · claimed_ns        0x10 committed     bytes of its front
//! 0x0a0 role, 64 bytes                                  0x18 baseline      incarnation its baseline belongs to
//! 0x0e0 command, 128 bytes                              0x20 baseline counters · 0x28 baseline owner
//! ```
//!
//! Only the owner words decide (with the lock byte of the slot, SPEC.md section 10); the description is for people.

use super::fields::fields;

/// Bytes of a process slot's entry.
pub const PROCESS_ENTRY_LENGTH: u64 = 384;
/// Bytes of the role.
pub const PROCESS_ROLE_LENGTH: u64 = 64;
/// Bytes of the command.
pub const PROCESS_COMMAND_LENGTH: u64 = 128;

fields! {
    /// The fields of a process entry.
    PROCESS_FIELDS, bytes:
    /// Incarnation of the slot and its [`SlotState`].
    PROCESS_OWNER_OFFSET = 0x000, A64 "process_owner";
    /// Bytes of the slot that are committed: 0, or all its gauge cells.
    PROCESS_COMMITTED_OFFSET = 0x008, A64 "process_committed";
    /// How often the description was changed after the slot was claimed, times two; odd while it is being changed.
    PROCESS_DESCRIPTION_OFFSET = 0x010, A64 "process_description";
    /// Process id as its owner sees it.
    PROCESS_PID_OFFSET = 0x080, U64 "process_pid";
    /// Inode of the owner's pid namespace: a pid means nothing without it.
    PROCESS_PID_NAMESPACE_OFFSET = 0x088, U64 "process_pid_namespace";
    /// Start time of the process in clock ticks since boot (field 22 of `/proc/PID/stat`).
    PROCESS_START_TICKS_OFFSET = 0x090, U64 "process_start_ticks";
    /// Wall clock when the slot was claimed, nanoseconds since 1970.
    PROCESS_CLAIMED_NS_OFFSET = 0x098, U64 "process_claimed_ns";
    /// The owner's role: UTF-8, padded with NUL.
    PROCESS_ROLE_OFFSET = 0x0a0, Text "process_role", PROCESS_ROLE_LENGTH;
    /// The owner's command line, shortened: UTF-8, padded with NUL.
    PROCESS_COMMAND_OFFSET = 0x0e0, Text "process_command", PROCESS_COMMAND_LENGTH;
}

/// Bytes of a lane's entry.
pub const LANE_ENTRY_LENGTH: u64 = 128;
fields! {
    /// The fields of a lane entry.
    LANE_FIELDS, bytes:
    /// The [`OwnerTag`] of the process whose thread has the lane; 0 = never taken.
    LANE_OWNER_OFFSET = 0x00, Tag "lane_owner";
    /// How often the lane was taken by a process.
    LANE_INCARNATION_OFFSET = 0x08, A64 "lane_incarnation";
    /// Bytes of the lane's front (bitmap and counters) that are committed: 0 or all.
    LANE_COMMITTED_OFFSET = 0x10, A64 "lane_committed";
    /// The incarnation whose start the lane's baseline describes; 0 = the baseline is zero, nobody was there before.
    LANE_BASELINE_WORD_OFFSET = 0x18, A64 "lane_baseline_word";
    /// How many counter words that baseline covers; counters placed later had nothing before.
    LANE_BASELINE_COUNTERS_OFFSET = 0x20, A64 "lane_baseline_counters";
    /// Tag of the process for which that baseline was written; a thread of the same process that takes the lane again keeps it.
    LANE_BASELINE_OWNER_OFFSET = 0x28, Tag "lane_baseline_owner";
}

/// Bytes of a gauge cell: one line, because any thread of the process may write it.
pub const GAUGE_CELL_LENGTH: u64 = super::LINE_LENGTH;
fields! {
    /// The fields of a gauge cell.
    GAUGE_FIELDS, bytes:
    /// From the start of a gauge cell to its value.
    GAUGE_VALUE_OFFSET = 0x00, A64 "gauge_value";
    /// From the start of a gauge cell to its stamp; 0 = never set.
    GAUGE_STAMP_OFFSET = 0x08, A64 "gauge_stamp";
}

/// Where in the file the lock byte of a slot is: far beyond any content, where locks are legal and no read or write ever goes.
pub const LOCK_BASE_OFFSET: u64 = 1 << 60;

/// What the low two bits of a process slot's owner word say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotState {
    /// Nobody had it yet, or its owner gave it back.
    Free = 0,
    /// A new owner is clearing what the last one left: gauges are not to be read.
    Claiming = 1,
    /// The owner works.
    Active = 2,
}

/// The owner word of a process slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotOwner(pub u64);

impl SlotOwner {
    /// Packs incarnation and state.
    pub const fn new(incarnation: u64, state: SlotState) -> Self {
        Self(incarnation << 2 | state as u64)
    }

    /// How often the slot was taken.
    pub const fn incarnation(self) -> u64 {
        self.0 >> 2
    }

    /// Its state; an unknown pattern reads as claiming, in which nobody trusts the gauges.
    pub const fn state(self) -> SlotState {
        match self.0 & 3 {
            0 => SlotState::Free,
            2 => SlotState::Active,
            _ => SlotState::Claiming,
        }
    }
}

/// Says which incarnation of which process slot owns something: the slot's number plus one in the high 16 bits, its incarnation in
/// the low 48. 0 is nobody. 2^48 incarnations at a million a second are nine years of nothing but restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OwnerTag(pub u64);

impl OwnerTag {
    /// Nobody, ever.
    pub const NOBODY: OwnerTag = OwnerTag(0);
    /// Given back by its owner.
    pub const RELEASED: OwnerTag = OwnerTag(u64::MAX);

    /// The tag of an incarnation of a slot.
    pub const fn new(slot: u64, incarnation: u64) -> Self {
        Self((slot + 1) << 48 | incarnation & ((1 << 48) - 1))
    }

    /// The slot; `None` for nobody, released, or a number that cannot be a slot's.
    pub const fn slot(self, process_slots: u64) -> Option<u64> {
        match self.0 >> 48 {
            0 => None,
            number if number <= process_slots => Some(number - 1),
            _ => None,
        }
    }

    /// The incarnation of the slot.
    pub const fn incarnation(self) -> u64 {
        self.0 & ((1 << 48) - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_round_trip_and_specials_have_no_slot() {
        let tag = OwnerTag::new(4095, 77);
        assert_eq!((tag.slot(4096), tag.incarnation()), (Some(4095), 77));
        assert_eq!(tag.slot(4095), None);
        assert_eq!(OwnerTag::NOBODY.slot(4096), None);
        assert_eq!(OwnerTag::RELEASED.slot(4096), None);
    }

    #[test]
    fn slot_owner_round_trips() {
        for state in [SlotState::Free, SlotState::Claiming, SlotState::Active] {
            let owner = SlotOwner::new(9, state);
            assert_eq!((owner.incarnation(), owner.state()), (9, state));
        }
        assert_eq!(SlotOwner(3).state(), SlotState::Claiming);
    }
}
