//! Gauge cells, counters, and the fronts and baselines of lanes.

use std::collections::HashMap;

use super::content::{Content, Series};
use super::walk::Walk;
use super::{blocks, meaning};
use crate::layout::directory::*;
use crate::layout::geometry::BLOCK_GRANULE_LENGTH;
use crate::layout::kind::Space;
use crate::layout::{LINE_LENGTH, LINE_WORDS, WORD_LENGTH};
use crate::sync::{Acquire, fence};

/// Bits of a word of a bitmap.
const WORD_BITS: u64 = u64::BITS as u64;

/// The series of a space by placement, and which unit of its cell it is.
pub(super) fn by_placement<'a>(content: &'a Content<'_>, space: Space) -> HashMap<u64, (&'a Series, u64)> {
    let cells = content.of(space).flat_map(|series| {
        let units = 0..series.record.kind.units();
        units.map(move |unit| (series.placement + unit, (series, unit)))
    });
    cells.collect()
}

/// The cells of every slot that has some.
pub(super) fn gauges<E>(walk: &mut Walk<'_, E>, content: &Content<'_>) -> Result<(), E> {
    let gauges = by_placement(content, Space::Gauges);
    for slot in 0..content.geometry.capacities.process_slots {
        let committed = content.load(content.geometry.process_entry_offset(slot) + PROCESS_COMMITTED_OFFSET);
        if committed == 0 {
            continue;
        }
        fence(Acquire);
        let start = content.geometry.slot_offset(slot);
        let count = content.geometry.capacities.gauges as usize * LINE_WORDS;
        let load = |index: usize| content.load(start + index as u64 * WORD_LENGTH);
        walk.words(
            start,
            count,
            &format!("slot {slot}.cells"),
            load,
            |index, word| {
                let (placement, within) = (
                    (index / LINE_WORDS) as u64,
                    (index % LINE_WORDS) as u64 * WORD_LENGTH,
                );
                let field = match within {
                    GAUGE_VALUE_OFFSET => "gauge_value",
                    GAUGE_STAMP_OFFSET => "gauge_stamp",
                    _ => "reserved",
                };
                match gauges.get(&placement) {
                    Some((series, _)) => {
                        let meaning = match within {
                            GAUGE_VALUE_OFFSET => meaning::number(series.record.kind, word),
                            _ => word.to_string(),
                        };
                        (format!("slot {slot}, record {}.{field}", series.number), meaning)
                    }
                    None => (format!("slot {slot}, cell {placement}.{field}"), word.to_string()),
                }
            },
        )?;
    }
    Ok(())
}

/// The counters of the shared lane: those of ready series are committed.
pub(super) fn shared_counters<E>(walk: &mut Walk<'_, E>, content: &Content<'_>) -> Result<(), E> {
    for series in content.of(Space::Counters).filter(|series| series.is_ready) {
        for unit in 0..series.record.kind.units() {
            let start = content.geometry.shared_counters_offset + (series.placement + unit) * LINE_LENGTH;
            let name = format!("shared lane, record {}.counter", series.number);
            let load = |index: usize| content.load(start + index as u64 * WORD_LENGTH);
            walk.words(start, LINE_WORDS, &name, load, |index, word| match index {
                0 => {
                    let (part, meaning) = meaning::counter(series.record.kind, unit, word);
                    (format!("{name}{part}"), meaning)
                }
                _ => (format!("{name}, reserved"), format!("{word:#x}, expected 0")),
            })?;
        }
    }
    Ok(())
}

/// Every lane that may be looked into: its front, its baseline, its blocks.
pub(super) fn lanes<E>(walk: &mut Walk<'_, E>, content: &Content<'_>) -> Result<(), E> {
    let counters = by_placement(content, Space::Counters);
    let geometry = content.geometry;
    for lane in 1..=geometry.capacities.lanes {
        let entry = geometry.lane_entry_offset(lane);
        if content.load(entry + LANE_OWNER_OFFSET) == 0 || content.load(entry + LANE_COMMITTED_OFFSET) == 0 {
            continue;
        }
        let covered = content
            .load(entry + LANE_BASELINE_COUNTERS_OFFSET)
            .min(geometry.capacities.counters);
        fence(Acquire);
        let start = geometry.lane_offset(lane);
        let bitmap: Vec<u64> = (0..geometry.bitmap_words)
            .map(|index| content.load(start + index * WORD_LENGTH))
            .collect();
        fence(Acquire);
        walk.words(
            start,
            bitmap.len(),
            &format!("lane {lane}.bitmap"),
            |index| bitmap[index],
            |index, word| {
                (
                    format!("lane {lane}.bitmap {index}"),
                    bits(content, index as u64, word),
                )
            },
        )?;
        let parts = [
            (
                "counter",
                geometry.lane_counters_offset,
                geometry.capacities.counters,
            ),
            ("baseline", geometry.lane_baseline_offset, covered),
        ];
        for (part, offset, count) in parts {
            let at = start + offset;
            let load = |index: usize| content.load(at + index as u64 * WORD_LENGTH);
            walk.words(
                at,
                count as usize,
                &format!("lane {lane}.{part}s"),
                load,
                |index, word| match counters.get(&(index as u64)) {
                    Some((series, unit)) => {
                        let (which, meaning) = meaning::counter(series.record.kind, *unit, word);
                        (
                            format!("lane {lane}, record {}.{part}{which}", series.number),
                            meaning,
                        )
                    }
                    None => (
                        format!("lane {lane}.{part} {index}"),
                        format!("{word}, not placed"),
                    ),
                },
            )?;
        }
        for granule in (0..)
            .zip(&bitmap)
            .flat_map(|(index, word)| granules(index, *word))
        {
            let Some(series) = content.block(granule) else {
                continue;
            };
            let at = start + geometry.lane_blocks_offset + series.placement;
            let owner = format!("lane {lane}, record {}", series.number);
            blocks::lane(walk, content, &owner, at, series)?;
        }
    }
    Ok(())
}

/// The granules whose bits are set in this word of a bitmap.
fn granules(index: u64, word: u64) -> impl Iterator<Item = u64> {
    let bits = (0..WORD_BITS).filter(move |bit| word >> bit & 1 == 1);
    bits.map(move |bit| index * WORD_BITS + bit)
}

/// The placements that the bits of a word stand for.
fn bits(content: &Content<'_>, index: u64, word: u64) -> String {
    let told: Vec<String> = granules(index, word)
        .map(|granule| match content.block(granule) {
            Some(series) => format!("record {} at {}", series.number, series.placement),
            None => format!("nobody's at {}", granule * BLOCK_GRANULE_LENGTH),
        })
        .collect();
    format!("committed: {}", told.join(", "))
}
