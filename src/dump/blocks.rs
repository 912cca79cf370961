//! Histograms: line 0, the buckets, the sealed copies and the ring of a block.

use super::content::{Content, Series};
use super::walk::Walk;
use super::{events, group, in_flight, meaning, samples, text};
use crate::layout::block::*;
use crate::layout::fields::{Field, structure};
use crate::layout::kind::Space;
use crate::layout::record::Buckets;
use crate::layout::reset::*;
use crate::layout::{LINE_WORDS, WORD_LENGTH};

/// A block, or a part of one.
struct Part<'a, 'b> {
    content: &'a Content<'b>,
    /// What its names begin with.
    owner: String,
    /// Where it starts in the file.
    start: u64,
    series: &'a Series,
}

impl Part<'_, '_> {
    fn load(&self, word: usize) -> u64 {
        self.content.load(self.offset(word))
    }

    fn offset(&self, word: usize) -> u64 {
        self.start + word as u64 * WORD_LENGTH
    }
}

/// The blocks of ready series in the shared lane: line 0 and the buckets.
pub(super) fn shared<E>(walk: &mut Walk<'_, E>, content: &Content<'_>) -> Result<(), E> {
    for series in content.of(Space::Blocks).filter(|series| series.is_ready) {
        if let Buckets::Events(..) = series.record.buckets {
            let owner = format!("shared lane, record {}", series.number);
            let start = content.geometry.shared_blocks_offset + series.placement;
            events::line(walk, content, &owner, start)?;
            continue;
        }
        let part = Part {
            content,
            owner: format!("shared lane, record {}", series.number),
            start: content.geometry.shared_blocks_offset + series.placement,
            series,
        };
        if let Some(shape) = series.record.samples() {
            samples::block(walk, content, &part.owner, part.start, &shape)?;
            continue;
        }
        if let Buckets::Text(shape) = series.record.buckets {
            text::block(walk, content, &part.owner, part.start, shape)?;
            continue;
        }
        if let Some(shape) = series.record.group() {
            group::block(walk, content, &part.owner, part.start, &shape, true)?;
            continue;
        }
        if let Buckets::InFlight(shape) = series.record.buckets {
            in_flight::table(walk, content, &part.owner, part.start, shape)?;
            continue;
        }
        line(walk, &part, true)?;
        buckets(walk, &part, BUCKETS, series.shape.latch(0), |word| {
            part.load(word)
        })?;
    }
    Ok(())
}

/// A block of a lane.
pub(super) fn lane<E>(
    walk: &mut Walk<'_, E>,
    content: &Content<'_>,
    owner: &str,
    start: u64,
    series: &Series,
) -> Result<(), E> {
    if let Buckets::Events(shape, _) = &series.record.buckets {
        return events::lane(walk, content, owner, start, series, shape);
    }
    if let Some(shape) = series.record.samples() {
        return samples::block(walk, content, owner, start, &shape);
    }
    if let Some(shape) = series.record.group() {
        return group::block(walk, content, owner, start, &shape, false);
    }
    if !series.record.kind.is_histogram() {
        // It has nothing in lanes.
        return Ok(());
    }
    let shape = &series.shape;
    let block = Part {
        content,
        owner: owner.to_owned(),
        start,
        series,
    };
    line(walk, &block, false)?;
    buckets(walk, &block, BUCKETS, shape.latch(0), |word| block.load(word))?;
    for copy in 0..LATCH_COPIES {
        let end = if copy + 1 < LATCH_COPIES {
            shape.latch(copy + 1)
        } else {
            shape.ring(0)
        };
        state(walk, &block, &format!("latch {copy}"), shape.latch(copy), 0, end)?;
    }
    for slot in 0..shape.ring_slots {
        let end = shape.ring(slot + 1);
        state(
            walk,
            &block,
            &format!("ring {slot}"),
            shape.ring(slot),
            RING_STATE,
            end,
        )?;
    }
    let rest = shape.ring(shape.ring_slots);
    let count = shape.words().saturating_sub(rest);
    let name = format!("{owner}.unused");
    walk.words(
        block.offset(rest),
        count,
        &name,
        |index| block.load(rest + index),
        |_, word| (name.clone(), word.to_string()),
    )
}

fn line<E>(walk: &mut Walk<'_, E>, block: &Part<'_, '_>, is_shared: bool) -> Result<(), E> {
    let Some(structure) = structure("block") else {
        return Ok(());
    };
    let words = block.content.copy(block.start, LINE_WORDS);
    let count = words[COUNT];
    for field in structure.fields() {
        let word = (field.offset / WORD_LENGTH) as usize;
        let named = match word {
            LANDED if is_shared => Field {
                name: "landed",
                ..field
            },
            _ => field,
        };
        let length = (field.length / WORD_LENGTH) as usize;
        walk.field(
            &block.owner,
            block.start,
            named,
            length,
            |index| words[word + index],
            |value| {
                let kind = block.series.record.kind;
                match word {
                    SUM_ODD if is_shared => value.to_string(),
                    SUM if is_shared => meaning::number(kind, value),
                    SUM | SUM_ODD => {
                        let last = if (count & 1) as usize == word - SUM {
                            ", after the last record that began"
                        } else {
                            ""
                        };
                        format!("{}{last}", meaning::number(kind, value))
                    }
                    BASELINE_SUM => meaning::number(kind, value),
                    _ => encoded(block, word, value),
                }
            },
        )?;
    }
    debug_assert_eq!(structure.length, LINE_WORDS as u64 * WORD_LENGTH);
    Ok(())
}

/// The baseline of a histogram in a reset table.
pub(super) fn baseline<E>(
    walk: &mut Walk<'_, E>,
    content: &Content<'_>,
    owner: &str,
    start: u64,
    series: &Series,
) -> Result<(), E> {
    let Some(structure) = structure("reset block") else {
        return Ok(());
    };
    let part = Part {
        content,
        owner: owner.to_owned(),
        start,
        series,
    };
    let words = content.copy(start, LINE_WORDS);
    for field in structure.fields() {
        let word = (field.offset / WORD_LENGTH) as usize;
        let length = (field.length / WORD_LENGTH) as usize;
        let load = |index: usize| words[word + index];
        walk.field(owner, start, field, length, load, |value| match word {
            RESET_SUM => meaning::number(series.record.kind, value),
            RESET_LOWEST => encoded(&part, LOWEST, value),
            RESET_HIGHEST => encoded(&part, HIGHEST, value),
            _ => value.to_string(),
        })?;
    }
    buckets(walk, &part, BUCKETS, series.shape.latch(0), |word| {
        part.load(word)
    })
}

/// Words that line 0 and states have in common, by their place in line 0.
fn encoded(block: &Part<'_, '_>, word: usize, value: u64) -> String {
    let (kind, number) = (block.series.record.kind, block.series.shape.buckets as u64);
    match word {
        LOWEST | HIGHEST | MINIMUM | MAXIMUM if value == 0 => "none".to_owned(),
        LOWEST => match number.checked_sub(value) {
            Some(bucket) => format!("bucket {bucket}"),
            None => format!("{value}, there are {number} buckets"),
        },
        HIGHEST => format!("bucket {}", value - 1),
        MINIMUM => meaning::key(kind, !value),
        MAXIMUM => meaning::key(kind, value - 1),
        _ => value.to_string(),
    }
}

/// A sealed copy, or a ring slot, whose state starts `before` words later.
fn state<E>(
    walk: &mut Walk<'_, E>,
    block: &Part<'_, '_>,
    name: &str,
    at: usize,
    before: usize,
    end: usize,
) -> Result<(), E> {
    let part = Part {
        content: block.content,
        owner: format!("{}.{name}", block.owner),
        start: block.offset(at),
        series: block.series,
    };
    let first = before + STATE_HEADER_WORDS;
    let words = part.content.copy(part.start, end - at);
    if words.iter().any(|word| *word != 0) {
        let kind = block.series.record.kind;
        for (structure_name, base, count) in [("ring slot", 0, before), ("state", before, STATE_HEADER_WORDS)]
        {
            let Some(structure) = structure(structure_name) else {
                continue;
            };
            for field in structure.fields().take_while(|_| count > 0) {
                let word = (field.offset / WORD_LENGTH) as usize;
                let load = |index: usize| words[base + word + index];
                let length = (field.length / WORD_LENGTH) as usize;
                walk.field(
                    &part.owner,
                    part.offset(base),
                    field,
                    length,
                    load,
                    |value| match word {
                        _ if structure_name == "ring slot" => match value {
                            0 => "none".to_owned(),
                            epoch => format!("epoch {epoch}"),
                        },
                        STATE_SUM => meaning::number(kind, value),
                        STATE_LOWEST => encoded(&part, LOWEST, value),
                        STATE_HIGHEST => encoded(&part, HIGHEST, value),
                        STATE_MINIMUM => encoded(&part, MINIMUM, value),
                        STATE_MAXIMUM => encoded(&part, MAXIMUM, value),
                        _ => value.to_string(),
                    },
                )?;
            }
        }
        return buckets(walk, &part, first, end - at, |word| words[word]);
    }
    walk.words(
        part.start,
        end - at,
        &part.owner,
        |_| 0,
        |_, _| Default::default(),
    )
}

/// Buckets from word `first` on, and the padding up to `end`; `load` gives a word of the part.
fn buckets<E>(
    walk: &mut Walk<'_, E>,
    part: &Part<'_, '_>,
    first: usize,
    end: usize,
    load: impl Fn(usize) -> u64,
) -> Result<(), E> {
    let number = part.series.shape.buckets;
    let name = format!("{}.buckets", part.owner);
    let word_at = |index: usize| load(first + index);
    walk.words(part.offset(first), end - first, &name, word_at, |index, word| {
        if index >= number {
            return (
                format!("{}.padding", part.owner),
                format!("{word:#x}, expected 0"),
            );
        }
        let range = match part.series.record.buckets {
            Buckets::Exponential(parameters) => {
                format!(
                    " in ({:e}, {:e}]",
                    parameters.lower_bound(index),
                    parameters.upper_bound(index)
                )
            }
            _ => String::new(),
        };
        (format!("{}.bucket {index}", part.owner), format!("{word}{range}"))
    })
}
