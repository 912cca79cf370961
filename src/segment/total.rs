//! What all lanes together have of a number, as a writer sees it that wants to set it.
//!
//! In a forked child its parent's lanes are covered in the mapping ([`fork`](super::fork)): what they hold is read from the file.
//!
//! Lanes in use are the first ones, so the sum ends at the first that nobody ever had. **Proof.** An owner word that is not 0 never becomes
//! 0 again, and a lane that nobody had is taken by the search of [`lane`](super::lane) only: by who has loaded, or lost a
//! compare-and-swap to, another value than 0 in the word of each lane below. Let something be counted in lane k before the sum begins
//! (it happens before it). Then so does what its taker saw in the word of each j < k, and by coherence the sum sees that there, or something
//! later: not 0. So it gets to k. What is counted meanwhile may be missed, in the last lane as in any other: it comes on top. No
//! order is needed but that of each word.

use std::fs::File;
use std::os::unix::fs::FileExt;

use rustix::fs::OFlags;

use super::attachment::Attachment;
use super::registry::number_at;
use super::slot::open_again;
use crate::layout::directory::{LANE_COMMITTED_OFFSET, LANE_OWNER_OFFSET, OwnerTag};
use crate::layout::header::RESET_OFFSET;
use crate::layout::{LINE_LENGTH, WORD_LENGTH};
use crate::protocol::reset;
use crate::sync::{Acquire, Relaxed, fence};
use crate::words::ReadWords;

/// Attempts at a baseline: resets take milliseconds.
const ATTEMPTS: usize = 4;

/// All lanes but the shared one, minus what was there at the last reset.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Total {
    /// The whole parts, modulo 2^64.
    pub(crate) whole: u64,
    /// The float parts.
    pub(crate) float: f64,
    /// Was a float added in one of these lanes?
    pub(crate) is_float: bool,
}

/// Adds up the lanes. `shared_offset`: where the whole part is in the shared lane. `None`: a lane of this process' parent cannot be read,
/// as the file cannot be opened again (its name is gone, or privileges were dropped). Cost: some loads per lane that was ever used.
pub(crate) fn of_number(attachment: &Attachment, shared_offset: u64) -> Option<Total> {
    let geometry = &attachment.geometry;
    let placement = shared_offset.saturating_sub(geometry.shared_counters_offset) / LINE_LENGTH;
    let (mut whole, mut float, mut is_float) = (0u64, 0.0, false);
    let mut file = None;
    for lane in 1..=geometry.capacities.lanes {
        let entry = geometry.lane_entry_offset(lane);
        let load = |offset: u64| attachment.word(entry + offset).load(Acquire);
        if load(LANE_OWNER_OFFSET) == OwnerTag::NOBODY.0 {
            break;
        }
        if load(LANE_COMMITTED_OFFSET) == 0 {
            continue;
        }
        let start = geometry.lane_offset(lane) + geometry.lane_counters_offset + placement * WORD_LENGTH;
        let is_covered = attachment.covered[lane as usize / 64].load(Relaxed) >> (lane % 64) & 1 == 1;
        let [first, second] = if is_covered {
            if file.is_none() {
                file = Some(File::from(open_again(attachment, OFlags::RDONLY)?));
            }
            read_words(file.as_ref()?, start)?
        } else {
            [0, WORD_LENGTH].map(|part| attachment.word(start + part).load(Relaxed))
        };
        whole = whole.wrapping_add(first);
        is_float |= second != 0;
        float += f64::from_bits(second);
    }
    let (whole_before, float_before) = baseline(attachment, placement);
    Some(Total {
        whole: whole.wrapping_sub(whole_before),
        float: float - float_before,
        is_float,
    })
}

/// Both words of a number, from a lane that is committed. The file and its mappings are the same pages (SPEC.md A-5).
fn read_words(file: &File, offset: u64) -> Option<[u64; 2]> {
    let mut bytes = [[0; WORD_LENGTH as usize]; 2];
    file.read_exact_at(bytes.as_flattened_mut(), offset).ok()?;
    Some(bytes.map(u64::from_ne_bytes))
}

/// What the table in force subtracts.
fn baseline(attachment: &Attachment, placement: u64) -> (u64, f64) {
    let geometry = &attachment.geometry;
    if geometry.capacities.reset_tables == 0 {
        return (0, 0.0);
    }
    let latch = ReadWords::new(attachment.words_at(RESET_OFFSET, 1));
    let mut found = (0, 0.0);
    for _ in 0..ATTEMPTS {
        let number = reset::number(latch);
        fence(Acquire);
        if number == 0 {
            return (0, 0.0);
        }
        let Some(record) = number_at(attachment, placement) else {
            return (0, 0.0);
        };
        let table = reset::table(number);
        let load = |offset: u64| attachment.word(offset).load(Relaxed);
        found = match load(geometry.reset_since_offset(table, record)) {
            0 => (0, 0.0),
            _ => (
                load(geometry.reset_counter_offset(table, placement)),
                f64::from_bits(load(geometry.reset_counter_offset(table, placement + 1))),
            ),
        };
        if reset::is_still(latch, number) {
            break;
        }
    }
    found
}
