//! The reset tables: what readers subtract.
//!
//! ```text
//! table 0, table 1, each
//!   times      a word per record: when its series was reset, ns since 1970; 0 = never   } committed together, before the table
//!   counters   a word per counter at 8 × placement: its baseline                        } is first filled
//!   blocks     at their placement, committed one by one:
//!              line 0    0x00 count    0x08 sum, low half   0x10 sum, high half   0x18 lowest   0x20 highest
//!                        0x28 error    0x30 reserved        0x38 invalid          0x40 to 0x7f reserved
//!              buckets   NB words from word 16 on, as in a block
//! ```
//!
//! Everything is where a lane has it, from the start of its part. A word of a baseline is that of all lanes and the shared lane
//! together. Which table is in force says the word `reset` of the header; [`crate::protocol::reset`] has the protocol.

use super::fields::fields;

fields! {
    /// The words of line 0 of a baseline that have a meaning.
    FIELDS, words:
    /// Records: the sum of the buckets.
    RESET_COUNT = 0, A64 "reset_count";
    /// The sum word; of whole numbers its low half.
    RESET_SUM = 1, A64 "reset_sum";
    /// The high half of the sum of whole numbers; else 0.
    RESET_SUM_HIGH = 2, A64 "reset_sum_high";
    /// NB − the lowest bucket that holds something; 0 = none.
    RESET_LOWEST = 3, A64 "reset_lowest";
    /// The highest bucket that holds something + 1; 0 = none.
    RESET_HIGHEST = 4, A64 "reset_highest";
    /// By how much the count may have been off when it was read.
    RESET_ERROR = 5, A64 "reset_error";
    /// Values that were no observation.
    RESET_INVALID = 7, A64 "reset_invalid";
}

/// The lock byte of resets: after that of creation.
pub const RESET_LOCK_SLOT: u64 = super::geometry::MAX_PROCESS_SLOTS + 1;
