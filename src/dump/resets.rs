//! The reset tables that were ever in force: times, counters, histograms.

use super::cells::by_placement;
use super::content::Content;
use super::walk::Walk;
use super::{blocks, meaning};
use crate::layout::WORD_LENGTH;
use crate::layout::header::RESET_OFFSET;
use crate::layout::kind::Space;
use crate::sync::{Acquire, fence};

/// What is committed of both tables.
pub(super) fn tables<E>(walk: &mut Walk<'_, E>, content: &Content<'_>) -> Result<(), E> {
    if content.geometry.capacities.reset_tables == 0 {
        return Ok(());
    }
    let number = content.load(RESET_OFFSET);
    fence(Acquire);
    // Reset 1 filled table 1, reset 2 table 0.
    for (first, table) in [(2, 0), (1, 1)] {
        if number >= first {
            one(walk, content, table)?;
        }
    }
    Ok(())
}

fn one<E>(walk: &mut Walk<'_, E>, content: &Content<'_>, table: u64) -> Result<(), E> {
    let geometry = content.geometry;
    let start = geometry.reset_table_offset(table);
    let times = content.copy(start, (geometry.reset_counters_offset / WORD_LENGTH) as usize);
    let name = format!("reset table {table}");
    walk.words(
        start,
        times.len(),
        &format!("{name}.times"),
        |index| times[index],
        |index, word| (format!("{name}, record {}.time", index + 1), meaning::time(word)),
    )?;
    let counters = by_placement(content, Space::Counters);
    let at = start + geometry.reset_counters_offset;
    let load = |index: usize| content.load(at + index as u64 * WORD_LENGTH);
    walk.words(
        at,
        geometry.capacities.counters as usize,
        &format!("{name}.counters"),
        load,
        |index, word| match counters.get(&(index as u64)) {
            Some((series, unit)) => {
                let (part, meaning) = meaning::counter(series.record.kind, *unit, word);
                (format!("{name}, record {}.counter{part}", series.number), meaning)
            }
            None => (format!("{name}.counter {index}"), format!("{word}, not placed")),
        },
    )?;
    for series in content.of(Space::Blocks) {
        let is_reset = times
            .get(series.number as usize - 1)
            .is_some_and(|time| *time != 0);
        if is_reset && series.record.kind.has_reset_block() {
            let owner = format!("{name}, record {}", series.number);
            let at = geometry.reset_block_offset(table, series.placement);
            blocks::baseline(walk, content, &owner, at, series)?;
        }
    }
    Ok(())
}
