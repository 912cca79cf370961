//! What all lanes together have of a number, as a writer sees it that wants to set it.

use super::attachment::Attachment;
use super::registry::number_at;
use crate::layout::directory::{LANE_COMMITTED_OFFSET, LANE_OWNER_OFFSET};
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

/// Adds up the lanes. `shared_offset`: where the whole part is in the shared lane. Cost: a load or two per lane.
pub(crate) fn of_number(attachment: &Attachment, shared_offset: u64) -> Total {
    let geometry = &attachment.geometry;
    let placement = shared_offset.saturating_sub(geometry.shared_counters_offset) / LINE_LENGTH;
    let (mut whole, mut float, mut is_float) = (0u64, 0.0, false);
    for lane in 1..=geometry.capacities.lanes {
        let entry = geometry.lane_entry_offset(lane);
        let load = |offset: u64| attachment.word(entry + offset).load(Acquire);
        if load(LANE_OWNER_OFFSET) == 0 || load(LANE_COMMITTED_OFFSET) == 0 {
            continue;
        }
        let start = geometry.lane_offset(lane) + geometry.lane_counters_offset + placement * WORD_LENGTH;
        let [first, second] = [0, WORD_LENGTH].map(|part| attachment.word(start + part).load(Relaxed));
        whole = whole.wrapping_add(first);
        is_float |= second != 0;
        float += f64::from_bits(second);
    }
    let (whole_before, float_before) = baseline(attachment, placement);
    Total {
        whole: whole.wrapping_sub(whole_before),
        float: float - float_before,
        is_float,
    }
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
