//! Mutations that know the format: a named field gets a value that is interesting there, and checksums are made right again, so that
//! the fuzzer gets past them.

use shmetrics::layout::Fnv;
use shmetrics::layout::fields::{STRUCTURES, Structure};
use shmetrics::layout::geometry::Geometry;
use shmetrics::layout::header::{CHECKSUM_OFFSET, IMMUTABLE_WORDS};
use shmetrics::layout::record::{CHECKSUM_WORD, SHAPE_WORD};

use crate::sparse::Sparse;

/// A few numbers from a seed (SplitMix64, Steele et al. 2014): the fuzzer's seed decides everything.
pub struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }
}

/// Changes one thing.
pub fn mutate(segment: &mut Sparse, numbers: &mut Numbers) {
    let geometry = geometry(segment);
    match numbers.below(16) {
        0 => segment.length = numbers.below(u64::from(segment.length) + 64) as u32,
        1 => drop(segment.after.pop()),
        2 if !segment.before.is_empty() => {
            let index = numbers.below(segment.before.len() as u64) as usize;
            segment.before.swap_remove(index);
        }
        // While it is mapped: any word that there is, or one near it.
        3..=6 if !segment.before.is_empty() => {
            let (index, old) = segment.before[numbers.below(segment.before.len() as u64) as usize];
            let value = interesting(old, numbers, geometry.as_ref());
            segment
                .after
                .push((index.saturating_add(numbers.below(3) as u32), value));
        }
        _ => {
            if let Some(index) = somewhere(geometry.as_ref(), numbers) {
                let value = interesting(segment.word(index), numbers, geometry.as_ref());
                segment.set(index, value);
            }
        }
    }
    // Mostly; so that what lies behind a checksum is reached, and the checksum's own error, too.
    if numbers.below(8) != 0 {
        repair(segment, geometry.as_ref());
    }
}

/// The geometry that the capacities of this header lead to, however damaged the rest of it is.
fn geometry(segment: &Sparse) -> Option<Geometry> {
    let words: [u64; IMMUTABLE_WORDS] = std::array::from_fn(|index| segment.word(index as u32));
    Some(Geometry::parse(&words, u64::MAX).ok()?.0)
}

/// The number of a word of a field of a structure that a segment has.
fn somewhere(geometry: Option<&Geometry>, numbers: &mut Numbers) -> Option<u32> {
    let chosen = &STRUCTURES[numbers.below(STRUCTURES.len() as u64) as usize];
    let field = chosen.named()[numbers.below(chosen.named().len() as u64) as usize];
    let inside = field.offset + numbers.below(field.length / 8) * 8;
    if chosen.name.contains("header") {
        return Some((inside / 8) as u32);
    }
    let start = start_of(chosen, geometry?, numbers);
    Some(((start + inside) / 8) as u32)
}

/// Where one of these structures, or near it, is.
fn start_of(chosen: &Structure, geometry: &Geometry, numbers: &mut Numbers) -> u64 {
    let capacities = &geometry.capacities;
    let lane = 1 + numbers.below(capacities.lanes.min(4));
    let blocks = match numbers.below(3) {
        0 => geometry.shared_blocks_offset,
        _ => geometry.lane_offset(lane) + geometry.lane_blocks_offset,
    };
    let line = numbers.below(capacities.blocks_length.min(16 << 10) / 128) * 128;
    match chosen.name {
        "record" => geometry.record_offset(1 + numbers.below(geometry.records.min(40))),
        "process entry" => geometry.process_entry_offset(numbers.below(capacities.process_slots.min(4))),
        "lane entry" => geometry.lane_entry_offset(lane),
        "gauge cell" => {
            geometry.slot_offset(numbers.below(capacities.process_slots.min(4)))
                + numbers.below(capacities.gauges.min(16)) * 128
        }
        // Line 0 of blocks, copies of a latch, slots of a ring: all begin with a line.
        "block" | "state" | "ring slot" | "events block" | "event" => blocks + line,
        "error entry" => geometry.error_entry_offset(numbers.below(capacities.errors.clamp(1, 8))),
        // Of both tables: baselines, or times and counters.
        "reset block" => match numbers.below(2) {
            0 => geometry.reset_block_offset(numbers.below(2), line),
            _ => geometry.reset_table_offset(numbers.below(2)) + numbers.below(64) * 8,
        },
        _ => geometry.lane_offset(lane) + numbers.below(64) * 8,
    }
}

fn interesting(old: u64, numbers: &mut Numbers, geometry: Option<&Geometry>) -> u64 {
    let some = numbers.next();
    match numbers.below(12) {
        0 => 0,
        1 => u64::MAX,
        2 => old ^ 1 << (some % 64),
        3 => old.wrapping_add(some % 5).wrapping_sub(2),
        4 => some % 40,
        5 => 1 << (some % 64),
        6 => f64::from_bits(some).to_bits(),
        7 => [f64::NAN, f64::INFINITY, -0.0, 5e-324, f64::MAX][(some % 5) as usize].to_bits(),
        // A byte of it, as the packed words have parts.
        8 => old & !(0xff << (some % 8 * 8)) | (some >> 8 & 0xff) << (some % 8 * 8),
        // Offset and length.
        9 => (some % 4096) << 32 | some >> 32 & 0x3ff,
        10 => geometry.map_or(some, |geometry| geometry.records + some % 3),
        _ => some,
    }
}

/// Makes the checksums of the header and of all records right.
pub fn repair(segment: &mut Sparse, geometry: Option<&Geometry>) {
    let sum = |segment: &Sparse, words: std::ops::Range<u32>| {
        words
            .fold(Fnv::new(), |hash, index| hash.word(segment.word(index)))
            .finish()
    };
    let checksum = (CHECKSUM_OFFSET / 8) as u32;
    let header = sum(segment, 0..checksum);
    segment.set(checksum, header);
    let Some(geometry) = geometry else { return };
    for number in 1..=geometry.records.min(40) {
        let first = (geometry.record_offset(number) / 8) as u32;
        if segment.word(first + SHAPE_WORD as u32) != 0 {
            let words = first + SHAPE_WORD as u32..first + CHECKSUM_WORD as u32;
            let record = sum(segment, words);
            segment.set(first + CHECKSUM_WORD as u32, record);
        }
    }
}
