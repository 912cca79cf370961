//! The lane directory: which lanes there are to read, and how many are in use.

use super::fill::at;
use crate::layout::directory::*;
use crate::layout::geometry::Geometry;
use crate::snapshot::Snapshot;
use crate::snapshot::lanes::Lane;
use crate::snapshot::owners::Owners;
use crate::snapshot::prefix::Prefix;
use crate::sync::{Acquire, fence};
use crate::words::ReadWords;

/// Finds the committed lanes and counts those in use.
pub(super) fn find_lanes(
    words: ReadWords<'_>,
    geometry: &Geometry,
    owners: &Owners,
    prefix: &mut Prefix,
    lanes: &mut Vec<Lane>,
    snapshot: &mut Snapshot,
) {
    let (fill, health) = (&mut snapshot.fill, &mut snapshot.health);
    lanes.clear();
    for number in 1..=geometry.capacities.lanes {
        if !prefix.includes(number - 1) {
            break;
        }
        let entry = geometry.lane_entry_offset(number);
        let owner = OwnerTag(words.load(at(entry + LANE_OWNER_OFFSET)));
        if owner == OwnerTag::NOBODY {
            continue;
        }
        prefix.take(number - 1);
        let incarnation = words.load(at(entry + LANE_INCARNATION_OFFSET));
        fill.lanes_touched += 1;
        fill.lanes.used += u64::from(owners.is_live(owner));
        health.dead_lanes += u64::from(owners.is_dead(owner));
        if words.load(at(entry + LANE_COMMITTED_OFFSET)) != 0 {
            lanes.push(Lane {
                number,
                owner,
                incarnation,
            });
        }
    }
    prefix.done();
    // Pairs with the release stores of the committed words: what they announce is there.
    fence(Acquire);
}
