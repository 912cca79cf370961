//! The enemy: a process that may write the segment, and stores whatever could hurt, at full speed, for as long as it lives.
//!
//! Nothing is ever truncated: that is another subject (tests/storage/truncated.rs).

use std::path::Path;

use shmetrics::layout::block::*;
use shmetrics::layout::directory::*;
use shmetrics::layout::error_log::*;
use shmetrics::layout::fields::{STRUCTURES, Structure};
use shmetrics::layout::geometry::Geometry;
use shmetrics::layout::header::*;
use shmetrics::layout::record::*;
use shmetrics::layout::{Fnv, labels};
use shmetrics_conformance::image::Image;

use crate::support::SharedWords;

/// A few numbers from a seed (SplitMix64, Steele et al. 2014).
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

    pub fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }
}

pub struct Scribbler<'a> {
    words: SharedWords,
    /// Another file: how many things were done, for who waits for it.
    turns: SharedWords,
    geometry: Geometry,
    pristine: &'a Image,
    numbers: Numbers,
}

impl<'a> Scribbler<'a> {
    pub fn new(path: &Path, turns: &Path, pristine: &'a Image, seed: u64) -> Self {
        Scribbler {
            words: SharedWords::open(path, pristine.words().len()),
            turns: SharedWords::open(turns, 1),
            geometry: *pristine.geometry(),
            pristine,
            numbers: Numbers(seed),
        }
    }

    /// Until it is killed, or whoever started it is gone: a test that crashes kills nobody.
    pub fn run(mut self) -> ! {
        let parent = std::os::unix::process::parent_id();
        for turn in 0u64.. {
            if turn.is_multiple_of(1024) && std::os::unix::process::parent_id() != parent {
                break;
            }
            match self.numbers.below(21) {
                0 => self.any_word(),
                1 => self.record(),
                2..=3 => self.nearly_sound_record(),
                4 => self.header(),
                5..=6 => self.mutable_header(),
                7..=8 => self.directories(),
                9..=11 => self.block(),
                12 => self.ready(),
                13..=14 => self.text(),
                15 => self.index(),
                16 => self.field(),
                17 => self.bitmaps(),
                18 => self.error(),
                _ => self.restore(),
            }
            self.turns
                .word(0)
                .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
        std::process::exit(0)
    }

    fn put(&self, offset: u64, value: u64) {
        let index = (offset / 8) as usize % self.pristine.words().len();
        self.words
            .word(index)
            .store(value, std::sync::atomic::Ordering::Relaxed);
    }

    fn get(&self, offset: u64) -> u64 {
        self.words
            .word((offset / 8) as usize)
            .load(std::sync::atomic::Ordering::Relaxed)
    }

    fn value(&mut self) -> u64 {
        let some = self.numbers.next();
        match self.numbers.below(10) {
            0 => 0,
            1 => u64::MAX,
            2 => u64::MAX - some % 4,
            3 => 1 << (some % 64),
            4 => (1u64 << (some % 64)).wrapping_sub(1),
            5 => some % 70,
            6 => [f64::NAN, f64::INFINITY, -0.0, 5e-324, f64::MAX][(some % 5) as usize].to_bits(),
            // A range; a tag of one of the slots; a number of a record.
            7 => (some % 8192) << 32 | some >> 32 & 0x3ff,
            8 => (1 + some % 5) << 48 | some >> 60,
            _ => some,
        }
    }

    fn any_word(&mut self) {
        let (head, all) = (self.geometry.head_length(), self.geometry.file_length);
        // Not the immutable part of the header, or hardly anybody would open the segment again.
        let until = self.numbers.one_of(&[head, all]);
        let at = 512 + self.numbers.below((until - 512) / 8) * 8;
        let value = self.value();
        self.put(at, value);
    }

    /// A field of the format, wherever one of its structure may be.
    fn field(&mut self) {
        let chosen: &Structure =
            self.numbers
                .one_of(&[&STRUCTURES[1], &STRUCTURES[2], &STRUCTURES[3], &STRUCTURES[4]]);
        let field = self.numbers.one_of(chosen.named());
        let inside = field.offset + self.numbers.below(field.length / 8) * 8;
        let start = match chosen.name {
            "record" => self
                .geometry
                .record_offset(1 + self.numbers.below(self.geometry.records)),
            "process entry" => self.slot_entry(),
            "lane entry" => self.lane_entry(),
            _ => 0,
        };
        let value = self.value();
        self.put(start + inside, value);
    }

    /// Looks sound, its checksum included, and claims anything.
    fn record(&mut self) {
        let geometry = self.geometry;
        let number = 1 + self.numbers.below(geometry.records);
        let kind = self.numbers.below(9);
        let family = self.numbers.below(3) == 0;
        let ring = self.numbers.one_of(&[0, 0, 2, 64, 65, 255]);
        let flags = self.numbers.below(2);
        let text_length = geometry.capacities.text_length;
        let mut words = [0u64; RECORD_WORDS];
        words[CLAIM_WORD] = self
            .numbers
            .one_of(&[0, u64::MAX, PUBLISHED, 1 << 48 | 1, 2 << 48 | 3]);
        words[SHAPE_WORD] = u64::from(if family { TYPE_FAMILY } else { TYPE_SERIES })
            | kind << 8
            | (1 + self.numbers.below(7)) << 16
            | flags << 24
            | ring << 32;
        words[HASH_WORD] = self.numbers.next();
        for word in [TEXT_WORD, EXTRA_WORD] {
            let offset = self.numbers.one_of(&[
                0,
                8,
                64,
                1 << 31,
                text_length,
                text_length - 8,
                u64::from(u32::MAX) & !7,
            ]);
            let length =
                self.numbers
                    .one_of(&[0, 1, 8, 13, 160, 1024, 2048, 8192, 8193, u64::from(u32::MAX)]);
            words[word] = offset << 32 | length;
        }
        let some = self.numbers.below(64);
        words[UNIT_WORD] = if family {
            some % 8
        } else {
            self.numbers
                .one_of(&[0, 1, some, geometry.records, u64::MAX, number])
        };
        words[FACTOR_WORD] = self
            .numbers
            .one_of(&[1.0f64, 1e-9, f64::MAX, 5e-324, f64::NAN, 0.0])
            .to_bits();
        let (scale, low, high) = (
            self.numbers.one_of(&[0, 3, 7, 8, 255]),
            self.numbers.one_of(&[0i16, -20, -1022, i16::MIN, 1022]),
            self.numbers.one_of(&[4i16, 32, 1023, i16::MAX, -1021]),
        );
        let exponential = kind == 5 || kind == 6;
        if exponential && !family {
            words[BUCKETS_WORD] = scale | u64::from(low as u16) << 16 | u64::from(high as u16) << 32;
        }
        // Mostly the length that follows, or it would never be believed.
        let buckets = match kind {
            5 | 6 => {
                shmetrics::buckets::Exponential::new(scale as u8, low, high).map_or(10, |some| some.buckets())
            }
            7 => (words[EXTRA_WORD] & 0xffff_ffff) as usize / 8 + 1,
            _ => 0,
        };
        if buckets > 0 && !family {
            let length = BlockShape::new(buckets, ring as usize).length();
            words[LENGTH_WORD] = self
                .numbers
                .one_of(&[length, length, length, 128, u64::MAX, 1 << 31]);
        }
        words[CREATED_WORD] = self.numbers.next();
        words[CHECKSUM_WORD] = words[SHAPE_WORD..CHECKSUM_WORD]
            .iter()
            .fold(Fnv::new(), |hash, word| hash.word(*word))
            .finish();
        let blocks = geometry.capacities.blocks_length;
        words[CELL_WORD] = self.numbers.one_of(&[
            0,
            1,
            2,
            some + 1,
            128 * some + 1,
            blocks,
            blocks - 1024 + 1,
            u64::MAX,
            geometry.capacities.counters,
        ]);
        words[ROOM_WORD] = self.value();
        words[READY_WORD] = self.numbers.one_of(&[0, 1, 1, 1, 2, u64::MAX]);
        for (index, word) in words.into_iter().enumerate() {
            self.put(geometry.record_offset(number) + index as u64 * 8, word);
        }
    }

    /// One of the furnished, but for a word, under its own number or another one: most of its rules hold, so that it gets further.
    fn nearly_sound_record(&mut self) {
        let geometry = self.geometry;
        let reserved = self.pristine.word(RESERVED_OFFSET);
        let (from, to) = (
            1 + self.numbers.below(reserved),
            1 + self.numbers.below(geometry.records),
        );
        let to = self.numbers.one_of(&[from, to]);
        let offset = |number, word| geometry.record_offset(number) + word as u64 * 8;
        let mut words: [u64; RECORD_WORDS] =
            std::array::from_fn(|word| self.pristine.word(offset(from, word)));
        let word = self.numbers.one_of(&[
            TEXT_WORD,
            EXTRA_WORD,
            UNIT_WORD,
            BUCKETS_WORD,
            LENGTH_WORD,
            CELL_WORD,
            CELL_WORD,
        ]);
        let (some, value) = (self.numbers.below(1 << 20), self.value());
        // As it should be, near to it, or anything.
        words[word] = self.numbers.one_of(&[
            words[word],
            words[word].wrapping_add(1),
            some,
            128 * some + 1,
            value,
        ]);
        words[READY_WORD] = 1;
        words[CHECKSUM_WORD] = words[SHAPE_WORD..CHECKSUM_WORD]
            .iter()
            .fold(Fnv::new(), |hash, word| hash.word(*word))
            .finish();
        for (index, word) in words.into_iter().enumerate() {
            self.put(offset(to, index), word);
        }
    }

    /// Another capacity or length, with the checksum that belongs to it, for a moment.
    fn header(&mut self) {
        let word = self.numbers.below(IMMUTABLE_WORDS as u64 - 1);
        let value = self.value();
        self.put(word * 8, value);
        let sum =
            (0..IMMUTABLE_WORDS as u64 - 1).fold(Fnv::new(), |hash, word| hash.word(self.get(word * 8)));
        self.put(CHECKSUM_OFFSET, sum.finish());
        // Long enough to be met by who opens it, and short beside all else, which is hidden meanwhile.
        let spin = self.numbers.below(400);
        (0..spin).for_each(|_| std::hint::spin_loop());
        self.put(word * 8, self.pristine.word(word * 8));
        self.put(CHECKSUM_OFFSET, self.pristine.word(CHECKSUM_OFFSET));
    }

    fn mutable_header(&mut self) {
        let at = self.numbers.one_of(&[
            RESERVED_OFFSET,
            RESERVED_OFFSET,
            TEXT_USED_OFFSET,
            COUNTER_PLACEMENT_OFFSET,
            GAUGE_PLACEMENT_OFFSET,
            BLOCK_PLACEMENT_OFFSET,
            COMMITTED_OFFSET,
            TICKER_OFFSET,
            RETIRED_OFFSET,
        ]);
        let number = self.numbers.below(self.geometry.records + 3);
        let (some, value) = (self.numbers.next(), self.value());
        // Mostly full of records; a placement that names one.
        let value = self.numbers.one_of(&[
            value,
            0,
            self.geometry.records,
            (number << 40) | (some % 256),
            number << 40 | 0xff_ffff_ffff,
        ]);
        self.put(at, value);
    }

    fn slot_entry(&mut self) -> u64 {
        self.geometry
            .process_entry_offset(self.numbers.below(self.geometry.capacities.process_slots))
    }

    fn lane_entry(&mut self) -> u64 {
        self.geometry
            .lane_entry_offset(1 + self.numbers.below(self.geometry.capacities.lanes))
    }

    fn directories(&mut self) {
        let (slot, lane) = (self.slot_entry(), self.lane_entry());
        let tag = (1 + self.numbers.below(self.geometry.capacities.process_slots + 1)) << 48
            | self.numbers.below(4);
        let tag = self.numbers.one_of(&[tag, 0, u64::MAX, tag]);
        let (value, role) = (self.value(), self.numbers.below(24));
        match self.numbers.below(8) {
            0 => self.put(slot + PROCESS_OWNER_OFFSET, value),
            1 => self.put(slot + PROCESS_COMMITTED_OFFSET, value),
            2 => self.put(slot + PROCESS_DESCRIPTION_OFFSET, value),
            3 => self.put(slot + PROCESS_ROLE_OFFSET + role * 8, value),
            4 => self.put(lane + LANE_INCARNATION_OFFSET, value),
            5 => self.put(lane + LANE_COMMITTED_OFFSET, value),
            6 => self.put(lane + LANE_BASELINE_COUNTERS_OFFSET, value),
            _ => self.put(lane + LANE_OWNER_OFFSET, tag),
        }
    }

    fn bitmaps(&mut self) {
        let lane = 1 + self.numbers.below(self.geometry.capacities.lanes);
        let word = self.numbers.below(self.geometry.bitmap_words) * 8;
        let value = self.numbers.one_of(&[0, u64::MAX, u64::MAX]);
        self.put(self.geometry.lane_offset(lane) + word, value);
        let at = self.geometry.lane_entry_offset(lane) + LANE_COMMITTED_OFFSET;
        self.put(at, self.geometry.lane_front_length());
    }

    /// Line 0 of a block, a copy of its latch, a slot of its ring: somewhere in the blocks, at a line.
    fn block(&mut self) {
        let geometry = self.geometry;
        let start = match self.numbers.below(4) {
            0 => geometry.shared_blocks_offset,
            _ => {
                geometry.lane_offset(1 + self.numbers.below(geometry.capacities.lanes))
                    + geometry.lane_blocks_offset
            }
        };
        let line = start + self.numbers.below(geometry.capacities.blocks_length / 128) * 128;
        let word = self.numbers.one_of(&[
            COUNT,
            SUM,
            LOWEST,
            HIGHEST,
            MINIMUM,
            MAXIMUM,
            EPOCH,
            LATCH_BEGIN,
            LATCH_VERSION,
            ROTATIONS,
            0,
            1,
            2,
            3,
        ]);
        let value = self.value();
        self.put(line + word as u64 * 8, value);
        if self.numbers.below(2) == 0 {
            // The widest range.
            self.put(line + LOWEST as u64 * 8, u64::MAX);
            self.put(line + HIGHEST as u64 * 8, u64::MAX);
        }
    }

    fn ready(&mut self) {
        for number in 1..=self.geometry.records {
            if self.numbers.below(2) == 0 {
                let value = self.numbers.one_of(&[0, 1, 1, 2]);
                self.put(self.geometry.record_offset(number) + READY_WORD as u64 * 8, value);
            }
        }
    }

    fn text(&mut self) {
        const TEXTS: [&[u8]; 7] = [
            b"\x1b[2J\x1b]0;owned\x07",
            b"\xff\xfe\xc0\x80\xed\xa0\x80\xf5",
            "\u{202e}\u{2066}\u{200b}\u{9b}".as_bytes(),
            b"\0\0\0\0\0\0\0\0",
            b"\"\\\n\r\t{}}{",
            b"\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\x01\0\0\x04aaaa",
        ];
        let at = self.numbers.below(self.geometry.capacities.text_length / 8) * 8;
        let canonical = labels::encode(&[("name", "value"), ("other", "")]).unwrap_or_default();
        let some = self.numbers.next().to_le_bytes();
        let bytes = self
            .numbers
            .one_of(&[TEXTS[(some[0] % 7) as usize], &canonical, &some]);
        for (index, chunk) in bytes.chunks(8).enumerate() {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.put(
                self.geometry.text_offset + at + index as u64 * 8,
                u64::from_ne_bytes(word),
            );
        }
    }

    /// An entry of the error log: any text, mostly of its length and with its hash, as if somebody had filled it, or were about to.
    fn error(&mut self) {
        let entry = self
            .geometry
            .error_entry_offset(self.numbers.below(self.geometry.capacities.errors));
        let text: Vec<u64> = (0..ERROR_TEXT_WORDS).map(|_| self.value()).collect();
        let bytes: Vec<u8> = text.iter().flat_map(|word| word.to_ne_bytes()).collect();
        let length = 1 + self.numbers.below(ERROR_TEXT_LENGTH as u64 + 8);
        let hash = error_hash(&bytes[..bytes.len().min(length as usize)]);
        let value = self.value();
        let words = [
            (ERROR_CLAIM_OFFSET, self.numbers.one_of(&[0, 1, value])),
            (ERROR_HASH_OFFSET, self.numbers.one_of(&[hash, hash, hash, value])),
            (
                ERROR_LENGTH_OFFSET,
                self.numbers
                    .one_of(&[length, length, length | ERROR_TEXT_CUT, value]),
            ),
            (ERROR_COUNT_OFFSET, value),
            (ERROR_FIRST_NS_OFFSET, value),
            (ERROR_LAST_NS_OFFSET, value),
        ];
        words
            .into_iter()
            .for_each(|(offset, word)| self.put(entry + offset, word));
        for (index, &word) in text.iter().enumerate() {
            self.put(entry + ERROR_TEXT_OFFSET + index as u64 * 8, word);
        }
        let ready = self.numbers.one_of(&[ERROR_READY, ERROR_READY, 0, value]);
        self.put(entry + ERROR_READY_OFFSET, ready);
    }

    fn index(&mut self) {
        let all = self.numbers.below(50) == 0;
        let value = self.value();
        for place in 0..self.geometry.index_entries {
            if all || self.numbers.below(16) == 0 {
                self.put(self.geometry.index_offset + place * 8, value);
            }
        }
    }

    /// The head as it was, so that all begins again.
    fn restore(&mut self) {
        let part = self.numbers.below(4);
        let (from, to) = match part {
            0 => (0, self.geometry.head_length()),
            1 => (self.geometry.records_offset, self.geometry.text_offset),
            2 => (self.geometry.text_offset, self.geometry.process_directory_offset),
            _ => (
                self.geometry.process_directory_offset,
                self.geometry.head_length(),
            ),
        };
        (from..to)
            .step_by(8)
            .for_each(|at| self.put(at, self.pristine.word(at)));
    }
}
