//! A process that reads at full rate until the storm pauses or it is killed.

use std::path::Path;

use super::look::{Look, check_file};
use super::tally::Tally;
use super::worker::complain;
use crate::storm::random::Random;

/// Who is alive, and whether the name leads elsewhere, is asked every so many snapshots.
const REFRESH: u64 = 32;
/// Events, between which some rings turn over and some do not.
const FOLLOW: u64 = 2;
/// A cut, which is a sequence of its own.
const CUT: u64 = 8;
/// The full check, while everybody works.
const VERIFY: u64 = 256;

/// Reads until it is told to end. Some stay with a segment that was given up, others follow the name.
pub(super) fn run(segment: &Path, tally: &Tally, random: &mut Random) {
    let stays = random.below(2) == 0;
    let per_process = random.below(3) == 0;
    let mut look: Option<Look<'_>> = None;
    let mut number = 0u64;
    while !tally.is_over() {
        let Some(open) = &mut look else {
            match Look::open(segment, tally, false) {
                Ok(opened) => {
                    look = opened;
                    if let Some(look) = &mut look {
                        look.reader.per_process(per_process);
                    }
                }
                Err(error) => complain(&format!("a reader: {error}")),
            }
            std::thread::yield_now();
            continue;
        };
        number += 1;
        let mut checked = open.look().map(|_| ());
        if number.is_multiple_of(FOLLOW) {
            checked = checked.and_then(|()| open.look_at_events());
        }
        if number.is_multiple_of(CUT) {
            checked = checked.and_then(|()| open.look_at_cut());
        }
        if number.is_multiple_of(REFRESH) {
            checked = checked.and_then(|()| open.reader.refresh_owners().map_err(|error| error.to_string()));
        }
        if number.is_multiple_of(VERIFY) {
            checked = checked.and_then(|()| check_file(segment, tally));
        }
        if let Err(what) = checked {
            complain(&format!("era {}, a reader's snapshot {number}: {what}", open.era));
            // Its next sequence begins anew.
            look = None;
        } else if number.is_multiple_of(REFRESH) && !stays && open.reader.replaced() {
            look = None;
        }
    }
}
