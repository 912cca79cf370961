//! Damaged copies of a good segment: words of the head overwritten, checksums made good again so that the checks behind them are
//! reached, files cut short. The reader in C ends with the rule that the reader in Rust names, skips the same records for the same
//! reasons, and prints the same numbers of all others.

use std::collections::BTreeMap;
use std::os::unix::fs::FileExt;
use std::path::Path;

use shmetrics::Reader;
use shmetrics::layout::Fnv;
use shmetrics::layout::block::LOWEST;
use shmetrics::layout::geometry::Geometry;
use shmetrics::layout::header::*;
use shmetrics::layout::record::*;

use crate::agree::agree;
use crate::support::*;
use crate::{build_watched, compare, writers};

const CASES: u64 = 400;

/// SplitMix64: the damage is the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// What damage leaves in a word: noise, a flipped bit, a number that is off by little, or another's content.
    fn damage(&mut self, word: u64) -> u64 {
        match self.below(5) {
            0 => self.next(),
            1 => word ^ 1 << self.below(64),
            2 => word.wrapping_add(self.below(17)).wrapping_sub(8),
            3 => self.below(300),
            _ => word ^ self.below(256) << (8 * self.below(8)),
        }
    }
}

/// The bytes of a segment, as words.
struct Image {
    words: Vec<u64>,
    geometry: Geometry,
    /// Bytes that are left.
    length: u64,
}

impl Image {
    fn word(&mut self, offset: u64) -> &mut u64 {
        &mut self.words[(offset / 8) as usize]
    }

    /// Overwrites some words. What the records hold comes most: that is where most rules are.
    fn spoil(&mut self, random: &mut Random, used: u64) {
        let g = self.geometry;
        for _ in 0..=random.below(3) {
            match random.below(26) {
                0 => self.spoil_range(random, VERSION_OFFSET, FILE_LENGTH_OFFSET),
                1 => self.spoil_range(random, PROCESS_SLOTS_OFFSET, INDEX_REGION_OFFSET),
                2 => self.spoil_range(random, 8, 8 * IMMUTABLE_WORDS as u64),
                3 => {
                    let noise = random.next();
                    *self.word(MAGIC_OFFSET) = [0, MAGIC.swap_bytes(), noise][random.below(3) as usize];
                }
                // Each mutable word has a line of its own.
                4 => *self.word(RESERVED_OFFSET + 128 * random.below(18)) = random.next(),
                5..=8 => self.spoil_record(random, used, 1..14),
                // Where a byte decides: type, kind, merge rule, ring slots; scale, low, high.
                9..=11 => self.spoil_record(random, used, SHAPE_WORD as u64..SHAPE_WORD as u64 + 1),
                12 => self.spoil_record(random, used, BUCKETS_WORD as u64..BUCKETS_WORD as u64 + 1),
                13 => self.misplace(random, used),
                14 => self.spoil_range(random, g.text_offset, g.text_offset + 2048),
                15 => self.spoil_range(random, g.process_directory_offset, g.slots_offset),
                16 => self.spoil_range(random, g.lanes_offset, g.lanes_offset + g.lane_stride),
                17..=24 => self.spoil_block(random, used),
                _ => self.length = random.below(self.length + 1),
            }
        }
        if random.below(4) > 0 {
            let sum = checksum(&self.words[..IMMUTABLE_WORDS - 1]);
            *self.word(CHECKSUM_OFFSET) = sum;
        }
    }

    /// Two cells in one place, a cell or a text that begins inside its region and ends outside.
    fn misplace(&mut self, random: &mut Random, used: u64) {
        let capacities = self.geometry.capacities;
        let record = self.some_record(random, used, SHAPE_WORD as u64);
        match random.below(3) {
            0 => *self.word(record + 8 * CELL_WORD as u64) = 1 + random.below(8),
            1 => *self.word(record + 8 * CELL_WORD as u64) = capacities.blocks_length - 128 + 1,
            _ => *self.word(record + 8 * TEXT_WORD as u64) = (capacities.text_length - 8) << 32 | 9,
        }
        self.mend_record(record, random);
    }

    /// A word of line 0 of a histogram, in a lane or in the shared lane.
    fn spoil_block(&mut self, random: &mut Random, used: u64) {
        let record = self.some_record(random, used, BUCKETS_WORD as u64);
        let placement = self.word(record + 8 * CELL_WORD as u64).wrapping_sub(1) & !127;
        let g = self.geometry;
        let region = match random.below(2) {
            0 => g.shared_blocks_offset,
            _ => g.lane_offset(1) + g.lane_blocks_offset,
        };
        let block = region + placement.min(g.capacities.blocks_length - 128);
        // Most often the range of touched buckets: what a reader copies by.
        let range = block + 8 * LOWEST as u64;
        match random.below(2) {
            0 => self.spoil_range(random, block, block + 128),
            _ => {
                *self.word(range + 8 * random.below(2)) =
                    random.next() >> [0, 54, 57, 60][random.below(4) as usize]
            }
        }
    }

    /// A record that uses this word, as not all kinds do: the first of sixteen tries, or any.
    fn some_record(&mut self, random: &mut Random, used: u64, word: u64) -> u64 {
        let any = |random: &mut Random| 1 + random.below(used);
        let mut records = (0..16).map(|_| self.geometry.record_offset(any(random)));
        let first = self.geometry.record_offset(1);
        records
            .find(|record| self.words[(record / 8 + word) as usize] != 0)
            .unwrap_or(first)
    }

    fn spoil_record(&mut self, random: &mut Random, used: u64, words: std::ops::Range<u64>) {
        let word = words.start + random.below(words.end - words.start);
        let record = self.some_record(random, used, word);
        let offset = record + 8 * word;
        let word = self.word(offset);
        *word = match random.below(3) {
            0 => random.damage(*word),
            _ => *word ^ (1 + random.below(15)) << (8 * random.below(5)),
        };
        self.mend_record(record, random);
    }

    fn spoil_range(&mut self, random: &mut Random, from: u64, to: u64) {
        let offset = from + 8 * random.below((to - from) / 8);
        let word = self.word(offset);
        *word = random.damage(*word);
    }

    /// Most records have a good checksum again, or no rule but V-20 would ever be met.
    fn mend_record(&mut self, record: u64, random: &mut Random) {
        if random.below(4) == 0 {
            return;
        }
        let start = (record / 8) as usize;
        let sum = checksum(&self.words[start + SHAPE_WORD..start + CHECKSUM_WORD]);
        self.words[start + CHECKSUM_WORD] = sum;
    }

    /// Writes what is not zero: the copy has holes where the segment has.
    fn write(&self, path: &Path) {
        let file = std::fs::File::create(path).unwrap();
        file.set_len(self.length).unwrap();
        const PAGE_WORDS: usize = 512;
        for (page, words) in self.words.chunks(PAGE_WORDS).enumerate() {
            let start = (page * PAGE_WORDS * 8) as u64;
            let left = self.length.saturating_sub(start).min(words.len() as u64 * 8) as usize;
            if left > 0 && words.iter().any(|word| *word != 0) {
                let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
                file.write_all_at(&bytes[..left], start).unwrap();
            }
        }
    }
}

fn checksum(words: &[u64]) -> u64 {
    words
        .iter()
        .fold(Fnv::new(), |hash, word| hash.word(*word))
        .finish()
}

#[test]
fn damage_is_refused_or_skipped_by_the_same_rules() {
    if let Some(argument) = child_argument() {
        return writers::work(&argument);
    }
    let scratch = Scratch::new("c-reader-damage");
    let Some(program) = build_watched(&scratch) else {
        return;
    };
    let segment = scratch.path("segment");
    drop(writers::start(
        "damage::damage_is_refused_or_skipped_by_the_same_rules",
        &scratch,
    ));
    let whole = Reader::open_path(&segment).unwrap().snapshot().unwrap();
    let bytes = std::fs::read(&segment).unwrap();
    let words: Vec<u64> = bytes
        .as_chunks()
        .0
        .iter()
        .map(|word| u64::from_ne_bytes(*word))
        .collect();
    let geometry = whole.segment.as_ref().unwrap().geometry;
    let copy = scratch.path("damaged");
    let mut met: BTreeMap<String, u64> = BTreeMap::new();
    for case in 0..CASES {
        let mut random = Random(case);
        let mut image = Image {
            words: words.clone(),
            geometry,
            length: bytes.len() as u64,
        };
        image.spoil(&mut random, whole.fill.records.used);
        image.write(&copy);
        for rule in agree(&program, &copy, compare::Trust::Damaged, &format!("case {case}")) {
            *met.entry(rule).or_default() += 1;
        }
    }
    println!("rules met: {met:?}");
    // Damage that never gets past the first check tests nothing.
    for rule in (2..=11).chain(20..=30).map(|number| format!("V-{number}")) {
        assert!(met.contains_key(&rule), "{rule} was never met: {met:?}");
    }
}
