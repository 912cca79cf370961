//! The header: the first 4 KiB of a segment.
//!
//! ```text
//! 0x000  magic · version · compatible_from · header_length · required · optional features · file_length
//! 0x038  capacities: process_slots, lanes, series, records, index_entries, text, counters, gauges, blocks, budget, epoch
//! 0x090  offsets of the regions, strides
//! 0x100  boot id (16) · created_ns · created_monotonic_ns · segment_id · reserved, zero
//! 0x1f8  checksum of all words before it
//! 0x200  reserved, zero
//! 0x400  mutable words, each at the start of its own 128-byte line
//! ```
//!
//! The part below [`CHECKSUM_OFFSET`] is written once, before the segment has a name, and never again. A reader copies it once,
//! validates the copy ([`super::geometry::Geometry::parse`]) and never looks at it again.

/// Bytes of the header.
pub const HEADER_LENGTH: u64 = 4096;
/// Words of the immutable part, its checksum included.
pub const IMMUTABLE_WORDS: usize = 64;

/// First word of every segment, in the byte order of its writer. As bytes on a little-endian machine: 0x8f `shmet` CR LF: not valid
/// UTF-8, no NUL (so it is neither text nor a hole), and a transfer that rewrites line ends damages it.
pub const MAGIC: u64 = u64::from_le_bytes([0x8f, b's', b'h', b'm', b'e', b't', b'\r', b'\n']);
/// The version of the format that this library writes.
pub const VERSION: u64 = 1;
/// The oldest reader that can read what this library writes.
pub const COMPATIBLE_FROM: u64 = 1;
/// Features a reader must know to read the segment correctly. None are assigned yet.
pub const KNOWN_REQUIRED_FEATURES: u64 = 0;

/// Names the words of the immutable part: one list for offsets, names and the SPEC test.
macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident = $offset:literal;)*) => {
        $($(#[$doc])* pub const $name: u64 = $offset;)*
        /// Every word of the immutable part that has a meaning: its constant's name and its offset.
        pub const FIELDS: &[(&str, u64)] = &[$((stringify!($name), $offset)),*];
    };
}

fields! {
    /// [`MAGIC`]; published last when a segment is visible before it is complete (`shm:`).
    MAGIC_OFFSET = 0x000;
    /// [`VERSION`] of the writer that created the segment.
    VERSION_OFFSET = 0x008;
    /// The oldest version whose readers can read the segment.
    COMPATIBLE_FROM_OFFSET = 0x010;
    /// [`HEADER_LENGTH`].
    HEADER_LENGTH_OFFSET = 0x018;
    /// Feature bits a reader must know.
    REQUIRED_FEATURES_OFFSET = 0x020;
    /// Feature bits a reader may ignore.
    OPTIONAL_FEATURES_OFFSET = 0x028;
    /// Bytes of the whole file.
    FILE_LENGTH_OFFSET = 0x030;
    /// Number of process slots.
    PROCESS_SLOTS_OFFSET = 0x038;
    /// Number of lanes, the shared lane not included.
    LANES_OFFSET = 0x040;
    /// Number of series that can be placed.
    SERIES_OFFSET = 0x048;
    /// Number of records: families and series together.
    RECORDS_OFFSET = 0x050;
    /// Number of places of the index, a power of two.
    INDEX_ENTRIES_OFFSET = 0x058;
    /// Bytes of text.
    TEXT_LENGTH_OFFSET = 0x060;
    /// Counter words per lane.
    COUNTERS_OFFSET = 0x068;
    /// Gauge cells per process slot.
    GAUGES_OFFSET = 0x070;
    /// Bytes of blocks per lane.
    BLOCKS_LENGTH_OFFSET = 0x078;
    /// Bytes that may be committed below the part allocated at creation.
    BUDGET_OFFSET = 0x080;
    /// Nanoseconds of an epoch.
    EPOCH_LENGTH_NS_OFFSET = 0x088;
    /// Where the index starts.
    INDEX_REGION_OFFSET = 0x090;
    /// Where the records start.
    RECORDS_REGION_OFFSET = 0x098;
    /// Where the text starts.
    TEXT_REGION_OFFSET = 0x0a0;
    /// Where the process directory starts.
    PROCESS_DIRECTORY_REGION_OFFSET = 0x0a8;
    /// Where the lane directory starts.
    LANE_DIRECTORY_REGION_OFFSET = 0x0b0;
    /// Where the process slots start.
    SLOTS_REGION_OFFSET = 0x0b8;
    /// Bytes from one process slot to the next.
    SLOT_STRIDE_OFFSET = 0x0c0;
    /// Where the counters of the shared lane start.
    SHARED_COUNTERS_REGION_OFFSET = 0x0c8;
    /// Where the blocks of the shared lane start.
    SHARED_BLOCKS_REGION_OFFSET = 0x0d0;
    /// Where lane 1 starts.
    LANES_REGION_OFFSET = 0x0d8;
    /// Bytes from one lane to the next.
    LANE_STRIDE_OFFSET = 0x0e0;
    /// From the start of a lane to its counters.
    LANE_COUNTERS_OFFSET = 0x0e8;
    /// From the start of a lane to the baseline of its counters.
    LANE_BASELINE_OFFSET = 0x0f0;
    /// From the start of a lane to its blocks.
    LANE_BLOCKS_OFFSET = 0x0f8;
    /// First half of the boot id of the machine at creation.
    BOOT_ID_HIGH_OFFSET = 0x100;
    /// Second half of the boot id.
    BOOT_ID_LOW_OFFSET = 0x108;
    /// Wall clock at creation, nanoseconds since 1970.
    CREATED_NS_OFFSET = 0x110;
    /// `CLOCK_MONOTONIC` at creation.
    CREATED_MONOTONIC_NS_OFFSET = 0x118;
    /// Random: tells two segments of one name apart.
    SEGMENT_ID_OFFSET = 0x120;
    /// FNV-1a over all words before it.
    CHECKSUM_OFFSET = 0x1f8;
}

macro_rules! mutable_words {
    ($($(#[$doc:meta])* $name:ident = $offset:literal;)*) => {
        $($(#[$doc])* pub const $name: u64 = $offset;)*
        /// The mutable words: name and offset.
        pub const MUTABLE_WORDS: &[(&str, u64)] = &[$((stringify!($name), $offset)),*];
    };
}

mutable_words! {
    /// How many records were handed out; records 1..=reserved may have content.
    RESERVED_OFFSET = 0x400;
    /// Bytes of text handed out.
    TEXT_USED_OFFSET = 0x480;
    /// Placement word of the counters: record being placed | next free.
    COUNTER_PLACEMENT_OFFSET = 0x500;
    /// Placement word of the gauge cells.
    GAUGE_PLACEMENT_OFFSET = 0x580;
    /// Placement word of the blocks.
    BLOCK_PLACEMENT_OFFSET = 0x600;
    /// Bytes committed after creation, as far as was counted: what the budget is compared with.
    COMMITTED_OFFSET = 0x680;
    /// The newest epoch any ticker has seen; for people, never for decisions.
    TICKER_OFFSET = 0x700;
    /// Ids handed out.
    NEXT_ID_OFFSET = 0x780;
    /// Stamps handed out to `last` gauges.
    STAMP_OFFSET = 0x800;
    /// Not 0: the segment was replaced or given up; nobody should count here any more.
    RETIRED_OFFSET = 0x880;
    /// Loss: a thread wanted a lane and none was free; it counts in the shared lane.
    LOSS_LANES_OFFSET = 0x900;
    /// Loss: a process wanted a slot and none was free; its gauges are dropped.
    LOSS_SLOTS_OFFSET = 0x980;
    /// Loss: storage for a lane, slot or block could not be allocated.
    LOSS_STORAGE_OFFSET = 0xa00;
    /// Loss: storage would have exceeded the budget.
    LOSS_BUDGET_OFFSET = 0xa80;
    /// Loss: gauge writes of processes without a slot, dropped.
    LOSS_GAUGE_WRITES_OFFSET = 0xb00;
    /// Loss: series that could not be registered because a table was full.
    LOSS_SERIES_OFFSET = 0xb80;
    /// Loss: label sets beyond a family's limit, counted in its overflow series.
    LOSS_LABEL_SETS_OFFSET = 0xc00;
    /// Counts of damage that was found and mended (a histogram whose count did not match its buckets).
    ANOMALIES_OFFSET = 0xc80;
}
