//! The header: the first 4 KiB of a segment.
//!
//! ```text
//! 0x000  magic · version · compatible_from · header_length · required · optional features · file_length
//! 0x038  capacities: process_slots, lanes, series, records, index_entries, text, counters, gauges, blocks, budget, epoch
//! 0x090  offsets of the regions, strides
//! 0x100  boot id (16) · created_ns · created_monotonic_ns · segment_id · writer features
//! 0x130  errors · errors_region · reset_tables · resets_region · reset_stride (version 2) · reserved, zero
//! 0x1f8  checksum of all words before it
//! 0x200  reserved, zero
//! 0x400  mutable words, each at the start of its own 128-byte line
//! ```
//!
//! The part below [`CHECKSUM_OFFSET`] is written once, before the segment has a name, and never again. A reader copies it once,
//! validates the copy ([`super::geometry::Geometry::parse`]) and never looks at it again.

use super::error::LayoutError;
use super::fields::fields;

/// Bytes of the header.
pub const HEADER_LENGTH: u64 = 4096;
/// Words of the immutable part, its checksum included.
pub const IMMUTABLE_WORDS: usize = 64;

/// First word of every segment, in the byte order of its writer. As bytes on a little-endian machine: 0x8f `shmet` CR LF: not valid
/// UTF-8, no NUL (so it is neither text nor a hole), and a transfer that rewrites line ends damages it.
pub const MAGIC: u64 = u64::from_le_bytes([0x8f, b's', b'h', b'm', b'e', b't', b'\r', b'\n']);
/// The newest version of the format that this library knows. What it writes is of the lowest version that suffices
/// ([`Geometry::version`](super::geometry::Geometry::version)).
pub const VERSION: u64 = 2;
/// The version that brought the error log, and the words that are counted from then on ([`LOSS_REGISTRATIONS_OFFSET`] to
/// [`ADOPTIONS_OFFSET`]). Where the log is moves what lies behind it, so older versions cannot use such a segment. The same version
/// brought resets: older readers would not subtract.
pub const ERROR_LOG_VERSION: u64 = 2;
/// Features a reader must know to read the segment correctly. None are assigned yet.
pub const KNOWN_REQUIRED_FEATURES: u64 = 0;
/// A feature of writers: the segment may have series of the kinds for statistics
/// ([`Kind::needs_statistics`](super::kind::Kind::needs_statistics)). Who does not know them must not adopt their lanes.
pub const STATISTICS_FEATURE: u64 = 1;
/// Features a writer must know to keep the segment right.
pub const KNOWN_WRITER_FEATURES: u64 = STATISTICS_FEATURE;

fields! {
    /// The words of the immutable part that have a meaning.
    FIELDS, bytes:

    /// [`MAGIC`]; published last when a segment is visible before it is complete (`shm:`).
    MAGIC_OFFSET = 0x000, A64 "magic";
    /// [`VERSION`] of the writer that created the segment.
    VERSION_OFFSET = 0x008, U64 "version";
    /// The oldest version whose readers can read the segment.
    COMPATIBLE_FROM_OFFSET = 0x010, U64 "compatible_from";
    /// [`HEADER_LENGTH`].
    HEADER_LENGTH_OFFSET = 0x018, U64 "header_length";
    /// Feature bits a reader must know.
    REQUIRED_FEATURES_OFFSET = 0x020, U64 "required_features";
    /// Feature bits a reader may ignore.
    OPTIONAL_FEATURES_OFFSET = 0x028, U64 "optional_features";
    /// Bytes of the whole file.
    FILE_LENGTH_OFFSET = 0x030, U64 "file_length";
    /// Number of process slots.
    PROCESS_SLOTS_OFFSET = 0x038, U64 "process_slots";
    /// Number of lanes, the shared lane not included.
    LANES_OFFSET = 0x040, U64 "lanes";
    /// Number of series that can be placed.
    SERIES_OFFSET = 0x048, U64 "series";
    /// Number of records: families and series together.
    RECORDS_OFFSET = 0x050, U64 "records";
    /// Number of places of the index, a power of two.
    INDEX_ENTRIES_OFFSET = 0x058, U64 "index_entries";
    /// Bytes of text.
    TEXT_LENGTH_OFFSET = 0x060, U64 "text_length";
    /// Counter words per lane.
    COUNTERS_OFFSET = 0x068, U64 "counters";
    /// Gauge cells per process slot.
    GAUGES_OFFSET = 0x070, U64 "gauges";
    /// Bytes of blocks per lane.
    BLOCKS_LENGTH_OFFSET = 0x078, U64 "blocks_length";
    /// Bytes that may be committed below the part allocated at creation.
    BUDGET_OFFSET = 0x080, U64 "budget";
    /// Nanoseconds of an epoch.
    EPOCH_LENGTH_NS_OFFSET = 0x088, U64 "epoch_length_ns";
    /// Where the index starts.
    INDEX_REGION_OFFSET = 0x090, U64 "index_region";
    /// Where the records start.
    RECORDS_REGION_OFFSET = 0x098, U64 "records_region";
    /// Where the text starts.
    TEXT_REGION_OFFSET = 0x0a0, U64 "text_region";
    /// Where the process directory starts.
    PROCESS_DIRECTORY_REGION_OFFSET = 0x0a8, U64 "process_directory_region";
    /// Where the lane directory starts.
    LANE_DIRECTORY_REGION_OFFSET = 0x0b0, U64 "lane_directory_region";
    /// Where the process slots start.
    SLOTS_REGION_OFFSET = 0x0b8, U64 "slots_region";
    /// Bytes from one process slot to the next.
    SLOT_STRIDE_OFFSET = 0x0c0, U64 "slot_stride";
    /// Where the counters of the shared lane start.
    SHARED_COUNTERS_REGION_OFFSET = 0x0c8, U64 "shared_counters_region";
    /// Where the blocks of the shared lane start.
    SHARED_BLOCKS_REGION_OFFSET = 0x0d0, U64 "shared_blocks_region";
    /// Where lane 1 starts.
    LANES_REGION_OFFSET = 0x0d8, U64 "lanes_region";
    /// Bytes from one lane to the next.
    LANE_STRIDE_OFFSET = 0x0e0, U64 "lane_stride";
    /// From the start of a lane to its counters.
    LANE_COUNTERS_OFFSET = 0x0e8, U64 "lane_counters";
    /// From the start of a lane to the baseline of its counters.
    LANE_BASELINE_OFFSET = 0x0f0, U64 "lane_baseline";
    /// From the start of a lane to its blocks.
    LANE_BLOCKS_OFFSET = 0x0f8, U64 "lane_blocks";
    /// First half of the boot id of the machine at creation.
    BOOT_ID_HIGH_OFFSET = 0x100, U64 "boot_id_high";
    /// Second half of the boot id.
    BOOT_ID_LOW_OFFSET = 0x108, U64 "boot_id_low";
    /// Wall clock at creation, nanoseconds since 1970.
    CREATED_NS_OFFSET = 0x110, U64 "created_ns";
    /// `CLOCK_MONOTONIC` at creation.
    CREATED_MONOTONIC_NS_OFFSET = 0x118, U64 "created_monotonic_ns";
    /// Random: tells two segments of one name apart.
    SEGMENT_ID_OFFSET = 0x120, U64 "segment_id";
    /// Feature bits that one must know to write, and may ignore to read.
    WRITER_FEATURES_OFFSET = 0x128, U64 "writer_features";
    /// Number of entries of the error log; version 1 has none.
    ERRORS_OFFSET = 0x130, U64 "errors";
    /// Where the error log starts; 0 in version 1.
    ERRORS_REGION_OFFSET = 0x138, U64 "errors_region";
    /// Tables for resets: 2, or 0 if there cannot be any; version 1 has none.
    RESET_TABLES_OFFSET = 0x140, U64 "reset_tables";
    /// Where the reset tables start; 0 in version 1.
    RESETS_REGION_OFFSET = 0x148, U64 "resets_region";
    /// Bytes from one reset table to the next; 0 in version 1.
    RESET_STRIDE_OFFSET = 0x150, U64 "reset_stride";
    /// FNV-1a over all words before it.
    CHECKSUM_OFFSET = 0x1f8, U64 "checksum";
}

fields! {
    /// The mutable words.
    MUTABLE_FIELDS, bytes:

    /// How many records were handed out; records 1..=reserved may have content.
    RESERVED_OFFSET = 0x400, A64 "reserved";
    /// Bytes of text handed out.
    TEXT_USED_OFFSET = 0x480, A64 "text_used";
    /// Placement word of the counters: record being placed | next free.
    COUNTER_PLACEMENT_OFFSET = 0x500, A64 "counter_placement";
    /// Placement word of the gauge cells.
    GAUGE_PLACEMENT_OFFSET = 0x580, A64 "gauge_placement";
    /// Placement word of the blocks.
    BLOCK_PLACEMENT_OFFSET = 0x600, A64 "block_placement";
    /// Bytes committed after creation, as far as was counted: what the budget is compared with.
    COMMITTED_OFFSET = 0x680, A64 "committed";
    /// The newest epoch any ticker has seen; for people, never for decisions.
    TICKER_OFFSET = 0x700, A64 "ticker";
    /// Ids handed out.
    NEXT_ID_OFFSET = 0x780, A64 "next_id";
    /// Stamps handed out to `last` gauges.
    STAMP_OFFSET = 0x800, A64 "stamp";
    /// Not 0: the segment was replaced or given up; nobody should count here any more.
    RETIRED_OFFSET = 0x880, A64 "retired";
    /// Loss: a thread wanted a lane and none was free; it counts in the shared lane.
    LOSS_LANES_OFFSET = 0x900, A64 "loss_lanes";
    /// Loss: a process wanted a slot and none was free; its gauges are dropped.
    LOSS_SLOTS_OFFSET = 0x980, A64 "loss_slots";
    /// Loss: storage for a lane, slot or block could not be allocated.
    LOSS_STORAGE_OFFSET = 0xa00, A64 "loss_storage";
    /// Loss: storage would have exceeded the budget.
    LOSS_BUDGET_OFFSET = 0xa80, A64 "loss_budget";
    /// Loss: gauge writes of processes without a slot, dropped.
    LOSS_GAUGE_WRITES_OFFSET = 0xb00, A64 "loss_gauge_writes";
    /// Loss: label sets for which no series could be registered, counted in their family's overflow series.
    LOSS_REFUSED_LABEL_SETS_OFFSET = 0xb80, A64 "loss_refused_label_sets";
    /// Loss: label sets beyond a family's limit, counted in its overflow series.
    LOSS_LABEL_SETS_OFFSET = 0xc00, A64 "loss_label_sets";
    /// Counts of damage that was found and mended (a histogram whose count did not match its buckets).
    ANOMALIES_OFFSET = 0xc80, A64 "anomalies";
    /// Loss: registrations of a series or a family that were refused: their caller got an error. From version 2 on.
    LOSS_REGISTRATIONS_OFFSET = 0xd00, A64 "loss_registrations";
    /// Loss: errors that found no entry in the error log. From version 2 on.
    LOSS_ERRORS_OFFSET = 0xd80, A64 "loss_errors";
    /// Lanes and process slots that were taken over from a dead owner. From version 2 on.
    ADOPTIONS_OFFSET = 0xe00, A64 "adoptions";
    /// How often series were reset; the lowest bit says which table is in force. 0 = never. Only where there are reset tables.
    RESET_OFFSET = 0xe80, A64 "reset";
}

/// V-12: what a writer checks beside what everybody does ([`Geometry::parse`](super::geometry::Geometry::parse)).
pub const fn check_writer(words: &[u64; IMMUTABLE_WORDS]) -> Result<(), LayoutError> {
    let unknown = words[(WRITER_FEATURES_OFFSET / super::WORD_LENGTH) as usize] & !KNOWN_WRITER_FEATURES;
    if unknown != 0 {
        return Err(LayoutError::UnknownWriterFeatures { found: unknown });
    }
    Ok(())
}
