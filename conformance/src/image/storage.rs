//! What is committed, and the file: SPEC.md 5 (holes), 10.7.1, D-5.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use shmetrics::layout::LINE_LENGTH;
use shmetrics::layout::kind::{Kind, Space};
use shmetrics::layout::record::{READY, TYPE_SERIES};

use super::{Image, Place};

impl Image {
    /// The ranges of bytes that marks cover: what a reader may touch. Cut at the end of the file; they may overlap.
    pub fn committed(&self) -> Vec<Range<u64>> {
        let geometry = &self.geometry;
        let mut ranges = Vec::new();
        let mut add = |start: u64, length: u64| ranges.push(start..start.saturating_add(length));
        add(0, geometry.head_length());
        for slot in 0..geometry.capacities.process_slots {
            let length = self.get(Place::Process(slot), "process_committed");
            add(geometry.slot_offset(slot), length.min(geometry.slot_stride));
        }
        let cells = self.ready_cells();
        for &(_, space, placement, units, shared_length) in &cells {
            match space {
                Space::Counters => add(
                    geometry.shared_counters_offset + placement * LINE_LENGTH,
                    units * LINE_LENGTH,
                ),
                Space::Blocks => add(geometry.shared_blocks_offset + placement, shared_length),
                Space::Gauges => {}
            }
        }
        for lane in 1..=geometry.capacities.lanes {
            let (entry, start) = (Place::Lane(lane), geometry.lane_offset(lane));
            if self.get(entry, "lane_committed") == 0 {
                continue;
            }
            add(start, geometry.lane_front_length());
            let baseline = self
                .get(entry, "lane_baseline_counters")
                .min(geometry.capacities.counters);
            add(start + geometry.lane_baseline_offset, 8 * baseline);
            for &(_, space, placement, length, _) in &cells {
                let (word, bit) = self.block_bit(placement, lane);
                if space == Space::Blocks && self.word(word) >> bit & 1 == 1 {
                    add(start + geometry.lane_blocks_offset + placement, length);
                }
            }
        }
        let number = match geometry.capacities.reset_tables {
            0 => 0,
            _ => self.get(Place::Header, "reset"),
        };
        // Reset 1 filled table 1, reset 2 table 0.
        for table in [(1, 1), (2, 0)]
            .iter()
            .filter(|(first, _)| number >= *first)
            .map(|(_, table)| *table)
        {
            add(geometry.reset_table_offset(table), geometry.reset_front_length());
            for &(record, space, placement, _, shared_length) in &cells {
                if space == Space::Blocks && self.word(geometry.reset_since_offset(table, record)) != 0 {
                    add(geometry.reset_block_offset(table, placement), shared_length);
                }
            }
        }
        for range in &mut ranges {
            let end = self.length / 8 * 8;
            *range = range.start.min(end)..range.end.min(end);
        }
        ranges.retain(|range| !range.is_empty());
        ranges
    }

    /// Record, space, placement, length of the block and of its part in the shared lane, of every series that readers show.
    fn ready_cells(&self) -> Vec<(u64, Space, u64, u64, u64)> {
        let ready = |number: &u64| {
            let place = Place::Record(*number);
            self.get(place, "ready") == READY && self.get(place, "shape") as u8 == TYPE_SERIES
        };
        let cell = |number: u64| {
            let place = Place::Record(number);
            let kind = Kind::from_code((self.get(place, "shape") >> 8) as u8)?;
            let placement = self.get(place, "cell").checked_sub(1)?;
            let (capacity, units) = match kind.space() {
                Space::Counters => (self.geometry.capacities.counters, kind.units()),
                Space::Gauges => (self.geometry.capacities.gauges, kind.units()),
                Space::Blocks => (self.geometry.capacities.blocks_length, self.get(place, "length")),
            };
            let fits = placement.checked_add(units).is_some_and(|end| end <= capacity);
            let word = self.get(place, "buckets");
            let octaves =
                i64::from((word >> 32) as u16 as i16).saturating_sub(i64::from((word >> 16) as u16 as i16));
            if kind == Kind::Events {
                return fits.then_some((number, kind.space(), placement, units, LINE_LENGTH));
            }
            let buckets = match kind {
                // All of it.
                Kind::Samples => return fits.then_some((number, kind.space(), placement, units, units)),
                Kind::Text | Kind::InFlight | Kind::Group => 0,
                Kind::HistogramClassic => self.get(place, "extra") as u32 as u64 / 8 + 1,
                _ => (octaves.max(0) as u64).checked_shl(u32::from(word as u8))? + 2,
            };
            if kind == Kind::Group {
                // Line 0 and the fields.
                return fits.then_some((number, kind.space(), placement, units, 2 * LINE_LENGTH));
            }
            if kind.is_shared_only() {
                return fits.then_some((number, kind.space(), placement, units, units));
            }
            // Line 0 and the buckets.
            let shared_length = LINE_LENGTH + (8 * buckets).next_multiple_of(LINE_LENGTH);
            fits.then_some((number, kind.space(), placement, units, shared_length.min(units)))
        };
        let numbers = 1..=self.get(Place::Header, "reserved").min(self.geometry.records);
        numbers.filter(ready).filter_map(cell).collect()
    }

    /// Writes the segment: the length, exactly what is committed, and every page with a word that is not 0. Replaces what is there.
    pub fn write_to(&self, path: &Path) -> io::Result<()> {
        let file = write_words(path, &self.words, self.length)?;
        for range in self.committed() {
            // Stored, not only allocated: `fallocate` leaves ranges that a file system tells apart from data.
            let words = &self.words[(range.start / 8) as usize..(range.end / 8) as usize];
            file.write_all_at(&to_bytes(words), range.start)?;
        }
        file.set_len(self.length)
    }
}

/// Writes a file of `length` bytes that has these words at its start and is full of holes where they are 0, down to a page.
pub fn write_words(path: &Path, words: &[u64], length: u64) -> io::Result<File> {
    /// No file system has smaller holes.
    const PAGE_WORDS: usize = 512;
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)?;
    for (index, page) in words.chunks(PAGE_WORDS).enumerate() {
        if page.iter().any(|&word| word != 0) {
            file.write_all_at(&to_bytes(page), (index * PAGE_WORDS * 8) as u64)?;
        }
    }
    file.set_len(length)?;
    Ok(file)
}

fn to_bytes(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}
