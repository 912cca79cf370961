//! Why bytes are not a segment: the validation rules V-1 to V-30 of SPEC.md section 12, each an error of its own.

use super::header::{HEADER_LENGTH, MAGIC, VERSION};
use super::record::{TYPE_FAMILY, TYPE_SERIES};

/// Why bytes are not a segment this library can use. The numbers V-n are those of SPEC.md section 12.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// V-1: fewer bytes than a header.
    #[error(
        "V-1: the file has {found} bytes, a segment has at least {HEADER_LENGTH}; it is not a segment, or was truncated"
    )]
    TooShort {
        /// Bytes of the file.
        found: u64,
    },
    /// V-2: no magic yet: the creator has not finished, or died.
    #[error(
        "V-2: the segment is not published yet (its magic word is 0); its creator is still at work or died"
    )]
    NotPublished,
    /// V-3: written on a machine of the other byte order.
    #[error("V-3: the segment was written on a machine of the other byte order; read it on such a machine")]
    OtherEndianness,
    /// V-4: something else.
    #[error(
        "V-4: the first word is {found:#018x}, a segment begins with {MAGIC:#018x}; the file is not a segment"
    )]
    BadMagic {
        /// The first word.
        found: u64,
    },
    /// V-5: made by a newer library that says older readers cannot read it.
    #[error(
        "V-5: the segment has format version {version}, readable from version {compatible_from}; this library knows version \
         {VERSION}: upgrade the reader, or let the workers create the segment anew"
    )]
    OtherVersion {
        /// Version of the segment.
        version: u64,
        /// Oldest version that can read it.
        compatible_from: u64,
    },
    /// V-6: the immutable part is damaged.
    #[error(
        "V-6: the header's checksum is {found:#018x}, its content gives {expected:#018x}; the file is damaged, create it anew"
    )]
    BadChecksum {
        /// The stored checksum.
        found: u64,
        /// The computed one.
        expected: u64,
    },
    /// V-7: a feature this library does not know is needed to read the segment.
    #[error("V-7: the segment needs features {found:#x} that this library does not know; upgrade it")]
    UnknownFeatures {
        /// The unknown bits.
        found: u64,
    },
    /// V-8: a capacity is outside its limits.
    #[error(
        "V-8: {field} is {found}, expected {least} to {most}; choose another capacity, or the file is damaged"
    )]
    CapacityOutOfRange {
        /// Which capacity.
        field: &'static str,
        /// Its value.
        found: u64,
        /// The least value allowed.
        least: u64,
        /// The greatest value allowed.
        most: u64,
    },
    /// V-9: an offset is not what the capacities lead to.
    #[error("V-9: {field} is {found:#x}, the capacities lead to {expected:#x}; the file is damaged")]
    InconsistentOffset {
        /// Which word.
        field: &'static str,
        /// Its value.
        found: u64,
        /// What it must be.
        expected: u64,
    },
    /// V-10: the file is shorter than its header says.
    #[error("V-10: the file has {found} bytes, its header says {expected}; it was truncated")]
    Truncated {
        /// Bytes of the file.
        found: u64,
        /// Bytes the header says.
        expected: u64,
    },
    /// V-11: a reserved word is not zero.
    #[error("V-11: the reserved word at {offset:#x} is {found:#x}, expected 0; the file is damaged")]
    ReservedNotZero {
        /// Where.
        offset: u64,
        /// Its value.
        found: u64,
    },
    /// V-12: a feature that writers must know and this library does not. Reading works.
    #[error(
        "V-12: to write the segment one must know features {found:#x}, which this library does not; upgrade it (reading works)"
    )]
    UnknownWriterFeatures {
        /// The unknown bits.
        found: u64,
    },
}

/// Why a record is skipped. Readers count and report these; one bad record never hides the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// V-20: content and checksum differ.
    #[error("V-20: the record's checksum does not match its content; it is damaged")]
    BadChecksum,
    /// V-21: neither a family nor a series.
    #[error("V-21: the record has type {found}, expected {TYPE_FAMILY} (family) or {TYPE_SERIES} (series)")]
    UnknownType {
        /// The type.
        found: u8,
    },
    /// V-22: a kind that a newer writer knows.
    #[error(
        "V-22: the record has kind {found}, which this library does not know; upgrade it to see the series"
    )]
    UnknownKind {
        /// The kind.
        found: u8,
    },
    /// V-23: a merge rule that a newer writer knows.
    #[error(
        "V-23: the record has merge rule {found}, which this library does not know; upgrade it to see the series"
    )]
    UnknownMerge {
        /// The rule.
        found: u8,
    },
    /// V-24: text outside its region or limit.
    #[error(
        "V-24: the {field} text at {offset}, {length} bytes, is outside the text region or its limits; the record is damaged"
    )]
    BadText {
        /// Which text.
        field: &'static str,
        /// Where it starts.
        offset: u32,
        /// Its bytes.
        length: u32,
    },
    /// V-25: bucket parameters outside their limits.
    #[error("V-25: the bucket parameters {found:#x} are outside their limits; the record is damaged")]
    BadBuckets {
        /// The word.
        found: u64,
    },
    /// V-26: the block's length is not what its parameters lead to.
    #[error("V-26: the block has {found} bytes, its parameters lead to {expected}; the record is damaged")]
    BadLength {
        /// The stored length.
        found: u64,
        /// The computed one.
        expected: u64,
    },
    /// V-27: the family's number is none.
    #[error(
        "V-27: the series belongs to record {found}, which is no family of its kind; the record is damaged"
    )]
    BadFamily {
        /// The number.
        found: u64,
    },
    /// V-28: the placement is outside its region.
    #[error("V-28: the cell at {found} is outside its region; the record is damaged")]
    BadCell {
        /// The placement.
        found: u64,
    },
    /// V-29: a name, label, help text or unit is not UTF-8, or labels are not in their encoding.
    #[error("V-29: the {field} text is not valid; the record is damaged")]
    BadEncoding {
        /// Which text.
        field: &'static str,
    },
    /// V-30: two series share a cell.
    #[error("V-30: the cell at {found} overlaps the cell of record {other}; one of the records is damaged")]
    Overlap {
        /// The placement.
        found: u64,
        /// The other record.
        other: u64,
    },
}
