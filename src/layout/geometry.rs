//! Geometry: the capacities of a segment and every offset that follows from them, as a validated private copy.
//!
//! [`Capacities`] are what a creator chooses; [`Geometry::plan`] derives offsets; [`Geometry::parse`] takes the words of a header
//! that may be hostile and accepts them only if they are what `plan` would have made. After that the file is never trusted again.

use super::error::LayoutError;
use super::header::*;
use super::{Fnv, LINE_LENGTH, LINE_WORDS, REGION_ALIGNMENT, WORD_LENGTH, round_up};
use super::{directory, error_log, record};

pub use super::capacities::Capacities;

/// Most process slots: the slot's number plus one must fit the 16 bits of an owner word, with room for the released mark.
pub const MAX_PROCESS_SLOTS: u64 = 4096;
/// Most lanes: finding a free one walks the lane directory once.
pub const MAX_LANES: u64 = 16_384;
/// Most records: their number shares a placement word with a 40-bit offset.
pub const MAX_RECORDS: u64 = 1 << 20;
/// Longest text region.
pub const MAX_TEXT_LENGTH: u64 = 1 << 30;
/// Longest block region of a lane: byte offsets within a lane are 32 bits in the writers' place word.
pub const MAX_BLOCKS_LENGTH: u64 = 1 << 31;
/// Most entries of the error log: who logs an error walks them, and their number is that of places in programs, not of events.
pub const MAX_ERRORS: u64 = 1024;
/// Reset tables of a segment that can be reset: one is in force while the other is filled.
pub const MAX_RESET_TABLES: u64 = 2;
/// Longest file: far below what a 47-bit address space can map several times over.
pub const MAX_FILE_LENGTH: u64 = 1 << 42;
/// Shortest epoch.
pub const MIN_EPOCH_LENGTH_NS: u64 = 1_000_000;
/// Longest epoch: a day.
pub const MAX_EPOCH_LENGTH_NS: u64 = 86_400 * 1_000_000_000;
/// One bit of a lane's bitmap stands for this many bytes of its block region; every block is at least as long, so no two blocks
/// start within one granule and the bit of a block's first granule is the block's own.
pub const BLOCK_GRANULE_LENGTH: u64 = 512;

/// Every capacity and offset of one segment. Made by [`plan`](Self::plan) or [`parse`](Self::parse) only, hence consistent:
/// regions are in file order, aligned, disjoint, inside `file_length`, and no sum of them overflows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// The capacities.
    pub capacities: Capacities,
    /// Families and series together.
    pub records: u64,
    /// Places of the index, a power of two at least twice `records`, so that a probe always meets an empty one.
    pub index_entries: u64,
    /// See [`INDEX_REGION_OFFSET`].
    pub index_offset: u64,
    /// See [`RECORDS_REGION_OFFSET`].
    pub records_offset: u64,
    /// See [`TEXT_REGION_OFFSET`].
    pub text_offset: u64,
    /// See [`PROCESS_DIRECTORY_REGION_OFFSET`].
    pub process_directory_offset: u64,
    /// See [`LANE_DIRECTORY_REGION_OFFSET`].
    pub lane_directory_offset: u64,
    /// See [`ERRORS_REGION_OFFSET`]; where the lane directory ends, also if there is no log.
    pub errors_offset: u64,
    /// See [`SLOTS_REGION_OFFSET`]. All bytes before it are allocated at creation.
    pub slots_offset: u64,
    /// See [`SLOT_STRIDE_OFFSET`].
    pub slot_stride: u64,
    /// See [`SHARED_COUNTERS_REGION_OFFSET`].
    pub shared_counters_offset: u64,
    /// See [`SHARED_BLOCKS_REGION_OFFSET`].
    pub shared_blocks_offset: u64,
    /// See [`LANES_REGION_OFFSET`].
    pub lanes_offset: u64,
    /// See [`LANE_STRIDE_OFFSET`].
    pub lane_stride: u64,
    /// Words of the bitmap at the start of a lane.
    pub bitmap_words: u64,
    /// See [`LANE_COUNTERS_OFFSET`].
    pub lane_counters_offset: u64,
    /// See [`LANE_BASELINE_OFFSET`].
    pub lane_baseline_offset: u64,
    /// See [`LANE_BLOCKS_OFFSET`].
    pub lane_blocks_offset: u64,
    /// See [`RESETS_REGION_OFFSET`]; where the lanes end, also if there are no tables.
    pub resets_offset: u64,
    /// See [`RESET_STRIDE_OFFSET`].
    pub reset_stride: u64,
    /// From the start of a reset table, which begins with the times, to its counters.
    pub reset_counters_offset: u64,
    /// From the start of a reset table to its blocks.
    pub reset_blocks_offset: u64,
    /// Bytes of the file.
    pub file_length: u64,
}

/// Facts of one segment that are not geometry: when and where it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The machine's boot id.
    pub boot_id: [u64; 2],
    /// Wall clock at creation, nanoseconds since 1970.
    pub created_ns: u64,
    /// `CLOCK_MONOTONIC` at creation.
    pub created_monotonic_ns: u64,
    /// Random.
    pub segment_id: u64,
    /// Feature bits that one must know to write ([`STATISTICS_FEATURE`]).
    pub writer_features: u64,
}

fn within(field: &'static str, found: u64, least: u64, most: u64) -> Result<u64, LayoutError> {
    if (least..=most).contains(&found) {
        Ok(found)
    } else {
        Err(LayoutError::CapacityOutOfRange {
            field,
            found,
            least,
            most,
        })
    }
}

impl Geometry {
    /// Lays out a segment of these capacities. Cost: arithmetic.
    pub fn plan(capacities: Capacities) -> Result<Geometry, LayoutError> {
        let c = capacities;
        within("process_slots", c.process_slots, 1, MAX_PROCESS_SLOTS)?;
        within("lanes", c.lanes, 1, MAX_LANES)?;
        within("series", c.series, 1, MAX_RECORDS / 2)?;
        within("text_length", c.text_length, 1024, MAX_TEXT_LENGTH)?;
        within("counters", c.counters, 1, MAX_RECORDS)?;
        within("gauges", c.gauges, 1, MAX_RECORDS)?;
        within("blocks_length", c.blocks_length, 4096, MAX_BLOCKS_LENGTH)?;
        within("errors", c.errors, 0, MAX_ERRORS)?;
        within("reset_tables", c.reset_tables, 0, MAX_RESET_TABLES)?;
        if c.reset_tables == 1 {
            // While it is filled nothing would be in force.
            within("reset_tables", c.reset_tables, MAX_RESET_TABLES, MAX_RESET_TABLES)?;
        }
        within(
            "epoch_length_ns",
            c.epoch_length_ns,
            MIN_EPOCH_LENGTH_NS,
            MAX_EPOCH_LENGTH_NS,
        )?;
        within("budget", c.budget, 0, MAX_FILE_LENGTH)?;
        // Every value is bounded above, so none of the sums and products below can overflow (the largest is lanes × lane_stride
        // < 2^14 × 2^33); the final comparison with MAX_FILE_LENGTH still holds for all of them.
        let up = |value: u64, to: u64| round_up(value, to).unwrap_or(u64::MAX);
        let records = 2 * c.series;
        let index_entries = (2 * records).next_power_of_two();
        let index_offset = HEADER_LENGTH;
        let records_offset = up(index_offset + index_entries * WORD_LENGTH, LINE_LENGTH);
        let text_offset = records_offset + records * record::RECORD_LENGTH;
        let process_directory_offset = up(text_offset + c.text_length, LINE_LENGTH);
        let lane_directory_offset =
            process_directory_offset + c.process_slots * directory::PROCESS_ENTRY_LENGTH;
        let errors_offset = lane_directory_offset + c.lanes * directory::LANE_ENTRY_LENGTH;
        let slots_offset = up(
            errors_offset + c.errors * error_log::ERROR_ENTRY_LENGTH,
            REGION_ALIGNMENT,
        );
        let slot_stride = up(c.gauges * LINE_LENGTH, REGION_ALIGNMENT);
        let shared_counters_offset = slots_offset + c.process_slots * slot_stride;
        let shared_blocks_offset = up(
            shared_counters_offset + c.counters * LINE_LENGTH,
            REGION_ALIGNMENT,
        );
        let lanes_offset = up(shared_blocks_offset + c.blocks_length, REGION_ALIGNMENT);
        let bitmap_words = up(
            c.blocks_length.div_ceil(BLOCK_GRANULE_LENGTH).div_ceil(64),
            LINE_WORDS as u64,
        );
        let lane_counters_offset = bitmap_words * WORD_LENGTH;
        // The baseline starts a page so that committing the counters does not commit it.
        let lane_baseline_offset = up(lane_counters_offset + c.counters * WORD_LENGTH, 4096);
        let lane_blocks_offset = up(lane_baseline_offset + c.counters * WORD_LENGTH, 4096);
        let lane_stride = up(lane_blocks_offset + c.blocks_length, REGION_ALIGNMENT);
        let resets_offset = lanes_offset + c.lanes * lane_stride;
        // Each part starts a page, so that what is committed of one does not commit the next.
        let reset_counters_offset = up(records * WORD_LENGTH, 4096);
        let reset_blocks_offset = up(reset_counters_offset + c.counters * WORD_LENGTH, 4096);
        let reset_stride = up(reset_blocks_offset + c.blocks_length, REGION_ALIGNMENT);
        let file_length = resets_offset + c.reset_tables * reset_stride;
        within("file_length", file_length, HEADER_LENGTH, MAX_FILE_LENGTH)?;
        Ok(Geometry {
            capacities,
            records,
            index_entries,
            index_offset,
            records_offset,
            text_offset,
            process_directory_offset,
            lane_directory_offset,
            errors_offset,
            slots_offset,
            slot_stride,
            shared_counters_offset,
            shared_blocks_offset,
            lanes_offset,
            lane_stride,
            bitmap_words,
            lane_counters_offset,
            lane_baseline_offset,
            lane_blocks_offset,
            resets_offset,
            reset_stride,
            reset_counters_offset,
            reset_blocks_offset,
            file_length,
        })
    }

    /// The version of a segment of this geometry: the lowest that suffices.
    pub const fn version(&self) -> u64 {
        match (self.capacities.errors, self.capacities.reset_tables) {
            (0, 0) => 1,
            _ => ERROR_LOG_VERSION,
        }
    }

    /// The features of writers that a new segment of this geometry has: those of version 1 have none, for who knows only that.
    pub const fn writer_features(&self) -> u64 {
        match self.version() {
            1 => 0,
            _ => KNOWN_WRITER_FEATURES,
        }
    }

    /// The derived words of the header of a segment of this version, with their names, in the order in which they are checked.
    pub(crate) fn derived(&self, version: u64) -> impl Iterator<Item = (&'static str, u64, u64)> {
        let words = [
            ("records", RECORDS_OFFSET, self.records),
            ("index_entries", INDEX_ENTRIES_OFFSET, self.index_entries),
            ("index_region", INDEX_REGION_OFFSET, self.index_offset),
            ("records_region", RECORDS_REGION_OFFSET, self.records_offset),
            ("text_region", TEXT_REGION_OFFSET, self.text_offset),
            (
                "process_directory_region",
                PROCESS_DIRECTORY_REGION_OFFSET,
                self.process_directory_offset,
            ),
            (
                "lane_directory_region",
                LANE_DIRECTORY_REGION_OFFSET,
                self.lane_directory_offset,
            ),
            ("slots_region", SLOTS_REGION_OFFSET, self.slots_offset),
            ("slot_stride", SLOT_STRIDE_OFFSET, self.slot_stride),
            (
                "shared_counters_region",
                SHARED_COUNTERS_REGION_OFFSET,
                self.shared_counters_offset,
            ),
            (
                "shared_blocks_region",
                SHARED_BLOCKS_REGION_OFFSET,
                self.shared_blocks_offset,
            ),
            ("lanes_region", LANES_REGION_OFFSET, self.lanes_offset),
            ("lane_stride", LANE_STRIDE_OFFSET, self.lane_stride),
            ("lane_counters", LANE_COUNTERS_OFFSET, self.lane_counters_offset),
            ("lane_baseline", LANE_BASELINE_OFFSET, self.lane_baseline_offset),
            ("lane_blocks", LANE_BLOCKS_OFFSET, self.lane_blocks_offset),
            ("errors_region", ERRORS_REGION_OFFSET, self.errors_offset),
            ("resets_region", RESETS_REGION_OFFSET, self.resets_offset),
            ("reset_stride", RESET_STRIDE_OFFSET, self.reset_stride),
            ("header_length", HEADER_LENGTH_OFFSET, HEADER_LENGTH),
            ("file_length", FILE_LENGTH_OFFSET, self.file_length),
        ];
        let is_there = move |offset: u64| offset < first_reserved(version) || offset >= CHECKSUM_OFFSET;
        words.into_iter().filter(move |&(_, offset, _)| is_there(offset))
    }

    /// The words of the immutable part of a header, checksum included.
    pub fn to_words(&self, origin: &Origin) -> [u64; IMMUTABLE_WORDS] {
        let c = &self.capacities;
        let mut words = [0; IMMUTABLE_WORDS];
        let mut put = |offset: u64, value: u64| words[(offset / WORD_LENGTH) as usize] = value;
        put(MAGIC_OFFSET, MAGIC);
        put(VERSION_OFFSET, self.version());
        put(COMPATIBLE_FROM_OFFSET, self.version());
        for (_, offset, value) in self.derived(self.version()) {
            put(offset, value);
        }
        put(PROCESS_SLOTS_OFFSET, c.process_slots);
        put(LANES_OFFSET, c.lanes);
        put(SERIES_OFFSET, c.series);
        put(TEXT_LENGTH_OFFSET, c.text_length);
        put(COUNTERS_OFFSET, c.counters);
        put(GAUGES_OFFSET, c.gauges);
        put(BLOCKS_LENGTH_OFFSET, c.blocks_length);
        put(ERRORS_OFFSET, c.errors);
        put(RESET_TABLES_OFFSET, c.reset_tables);
        put(BUDGET_OFFSET, c.budget);
        put(EPOCH_LENGTH_NS_OFFSET, c.epoch_length_ns);
        put(BOOT_ID_HIGH_OFFSET, origin.boot_id[0]);
        put(BOOT_ID_LOW_OFFSET, origin.boot_id[1]);
        put(CREATED_NS_OFFSET, origin.created_ns);
        put(CREATED_MONOTONIC_NS_OFFSET, origin.created_monotonic_ns);
        put(SEGMENT_ID_OFFSET, origin.segment_id);
        put(WRITER_FEATURES_OFFSET, origin.writer_features);
        words[IMMUTABLE_WORDS - 1] = checksum(&words);
        words
    }

    /// Validates a private copy of a header's immutable part against the file's true length. Checks in the order V-2 … V-11.
    pub fn parse(
        words: &[u64; IMMUTABLE_WORDS],
        file_length: u64,
    ) -> Result<(Geometry, Origin), LayoutError> {
        let get = |offset: u64| words[(offset / WORD_LENGTH) as usize];
        match get(MAGIC_OFFSET) {
            MAGIC => {}
            0 => return Err(LayoutError::NotPublished),
            other if other == MAGIC.swap_bytes() => return Err(LayoutError::OtherEndianness),
            found => return Err(LayoutError::BadMagic { found }),
        }
        let (version, compatible_from) = (get(VERSION_OFFSET), get(COMPATIBLE_FROM_OFFSET));
        if version == 0 || compatible_from > VERSION || compatible_from > version {
            return Err(LayoutError::OtherVersion {
                version,
                compatible_from,
            });
        }
        let expected = checksum(words);
        if get(CHECKSUM_OFFSET) != expected {
            return Err(LayoutError::BadChecksum {
                found: get(CHECKSUM_OFFSET),
                expected,
            });
        }
        let unknown = get(REQUIRED_FEATURES_OFFSET) & !KNOWN_REQUIRED_FEATURES;
        if unknown != 0 {
            return Err(LayoutError::UnknownFeatures { found: unknown });
        }
        let geometry = Geometry::plan(Capacities::of(words))?;
        for (field, offset, expected) in geometry.derived(version) {
            if get(offset) != expected {
                return Err(LayoutError::InconsistentOffset {
                    field,
                    found: get(offset),
                    expected,
                });
            }
        }
        if file_length < geometry.file_length {
            return Err(LayoutError::Truncated {
                found: file_length,
                expected: geometry.file_length,
            });
        }
        // A newer version that older readers can still read may use reserved words.
        if version <= VERSION {
            let first = (first_reserved(version) / WORD_LENGTH) as usize;
            for (index, &found) in words.iter().enumerate().take(IMMUTABLE_WORDS - 1).skip(first) {
                if found != 0 {
                    return Err(LayoutError::ReservedNotZero {
                        offset: index as u64 * WORD_LENGTH,
                        found,
                    });
                }
            }
        }
        let origin = Origin {
            boot_id: [get(BOOT_ID_HIGH_OFFSET), get(BOOT_ID_LOW_OFFSET)],
            created_ns: get(CREATED_NS_OFFSET),
            created_monotonic_ns: get(CREATED_MONOTONIC_NS_OFFSET),
            segment_id: get(SEGMENT_ID_OFFSET),
            writer_features: get(WRITER_FEATURES_OFFSET),
        };
        Ok((geometry, origin))
    }

    /// Where the record with this number (from 1) is. `number` must be within `1..=records`.
    pub const fn record_offset(&self, number: u64) -> u64 {
        self.records_offset + (number - 1) * record::RECORD_LENGTH
    }

    /// Where the directory entry of a process slot is.
    pub const fn process_entry_offset(&self, slot: u64) -> u64 {
        self.process_directory_offset + slot * directory::PROCESS_ENTRY_LENGTH
    }

    /// Where the directory entry of a lane (from 1) is.
    pub const fn lane_entry_offset(&self, lane: u64) -> u64 {
        self.lane_directory_offset + (lane - 1) * directory::LANE_ENTRY_LENGTH
    }

    /// Where an entry of the error log (from 0) is.
    pub const fn error_entry_offset(&self, entry: u64) -> u64 {
        self.errors_offset + entry * error_log::ERROR_ENTRY_LENGTH
    }

    /// Where a process slot's gauge cells are.
    pub const fn slot_offset(&self, slot: u64) -> u64 {
        self.slots_offset + slot * self.slot_stride
    }

    /// Where a lane (from 1) is.
    pub const fn lane_offset(&self, lane: u64) -> u64 {
        self.lanes_offset + (lane - 1) * self.lane_stride
    }

    /// Where a reset table (0 or 1) is. It begins with a word per record: when its series was reset.
    pub const fn reset_table_offset(&self, table: u64) -> u64 {
        self.resets_offset + table * self.reset_stride
    }

    /// Where a reset table says when the series of the record `number` (from 1) was reset.
    pub const fn reset_since_offset(&self, table: u64, number: u64) -> u64 {
        self.reset_table_offset(table) + (number - 1) * WORD_LENGTH
    }

    /// Where the baseline of a counter is in a reset table.
    pub const fn reset_counter_offset(&self, table: u64, placement: u64) -> u64 {
        self.reset_table_offset(table) + self.reset_counters_offset + placement * WORD_LENGTH
    }

    /// Where the baseline of a histogram is in a reset table.
    pub const fn reset_block_offset(&self, table: u64, placement: u64) -> u64 {
        self.reset_table_offset(table) + self.reset_blocks_offset + placement
    }

    /// Bytes of a reset table that are committed whole before it is first filled: times and counters.
    pub const fn reset_front_length(&self) -> u64 {
        self.reset_counters_offset + self.capacities.counters * WORD_LENGTH
    }

    /// Bytes of a lane that are committed whole when it is claimed: bitmap and counters.
    pub const fn lane_front_length(&self) -> u64 {
        self.lane_counters_offset + self.capacities.counters * WORD_LENGTH
    }

    /// Bytes allocated at creation.
    pub const fn head_length(&self) -> u64 {
        self.slots_offset
    }

    /// Bytes if every slot, lane and block were committed.
    pub const fn worst_case_length(&self) -> u64 {
        self.file_length
    }
}

/// Where the reserved words of the immutable part begin in a segment of this version.
pub(crate) const fn first_reserved(version: u64) -> u64 {
    match version {
        ERROR_LOG_VERSION.. => RESET_STRIDE_OFFSET + WORD_LENGTH,
        _ => ERRORS_OFFSET,
    }
}

/// FNV-1a over the words before the checksum.
pub(crate) fn checksum(words: &[u64; IMMUTABLE_WORDS]) -> u64 {
    words[..IMMUTABLE_WORDS - 1]
        .iter()
        .fold(Fnv::new(), |hash, &word| hash.word(word))
        .finish()
}

#[cfg(test)]
mod tests;
