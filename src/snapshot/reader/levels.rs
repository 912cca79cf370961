//! What the header counts: how full every capacity is, and what could not be done as asked.

use super::fill::at;
use crate::layout::geometry::Geometry;
use crate::layout::header::*;
use crate::protocol::placement;
use crate::snapshot::{Fill, Losses, Used};
use crate::words::ReadWords;

pub(super) fn fill_levels(words: ReadWords<'_>, geometry: &Geometry) -> Fill {
    let capacities = &geometry.capacities;
    let used = |used: u64, capacity: u64| Used {
        used: used.min(capacity),
        capacity,
    };
    let placed = |offset: u64, capacity: u64| used(placement::free(words.load(at(offset))), capacity);
    Fill {
        process_slots: used(0, capacities.process_slots),
        lanes: used(0, capacities.lanes),
        lanes_touched: 0,
        records: used(words.load(at(RESERVED_OFFSET)), geometry.records),
        text: used(words.load(at(TEXT_USED_OFFSET)), capacities.text_length),
        counters: placed(COUNTER_PLACEMENT_OFFSET, capacities.counters),
        gauges: placed(GAUGE_PLACEMENT_OFFSET, capacities.gauges),
        blocks: placed(BLOCK_PLACEMENT_OFFSET, capacities.blocks_length),
        errors: used(0, capacities.errors),
        // Not cut at the budget: racing commits may exceed it, and that is worth seeing.
        committed: Used {
            used: words.load(at(COMMITTED_OFFSET)),
            capacity: capacities.budget,
        },
    }
}

pub(super) fn losses(words: ReadWords<'_>, version: u64) -> Losses {
    let load = |offset: u64| words.load(at(offset));
    // Reserved space in version 1.
    let since_version_2 = |offset: u64| match version {
        ERROR_LOG_VERSION.. => load(offset),
        _ => 0,
    };
    Losses {
        lanes_exhausted: load(LOSS_LANES_OFFSET),
        slots_exhausted: load(LOSS_SLOTS_OFFSET),
        storage_refused: load(LOSS_STORAGE_OFFSET),
        budget_refused: load(LOSS_BUDGET_OFFSET),
        gauge_writes_dropped: load(LOSS_GAUGE_WRITES_OFFSET),
        label_sets_refused: load(LOSS_REFUSED_LABEL_SETS_OFFSET),
        label_sets_overflowed: load(LOSS_LABEL_SETS_OFFSET),
        anomalies: load(ANOMALIES_OFFSET),
        registrations_refused: since_version_2(LOSS_REGISTRATIONS_OFFSET),
        errors_lost: since_version_2(LOSS_ERRORS_OFFSET),
    }
}
