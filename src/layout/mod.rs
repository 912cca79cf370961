//! Layer 1: where every byte of a segment is. Pure: no I/O, no atomics, no unsafe.
//!
//! ```text
//! header              4 KiB: immutable part with checksum, then mutable words, each alone on a 128-byte line
//! index               open addressing, one word per place: hash tag | record number
//! records             128 bytes per family or series
//! text                append-only bytes: names, labels, help, units, classic bounds, statuses
//! process directory   384 bytes per process slot: owner, and its description for people
//! lane directory      128 bytes per lane: owner, incarnation, committed mark, baseline mark
//! error log           256 bytes per entry: an error's text, how often and when
//! -------------------- everything above is allocated when the segment is created; below, just before first use ----
//! process slots       gauges, one 128-byte line per cell
//! shared lane         counters, one 128-byte line each; then blocks
//! lanes               bitmap of committed blocks, counters packed densely, baseline of the counters, blocks
//! reset tables        two: when each series was reset, and what readers subtract from it since
//! ```
//!
//! Offsets are named `X_OFFSET`, sizes `X_LENGTH`; all are bytes unless the name says words. SPEC.md sections 5 to 9 are the
//! normative text; `tests/spec.rs` holds it against these constants.

pub mod block;
pub mod capacities;
pub mod directory;
pub mod error;
pub mod error_log;
pub mod events;
pub mod fields;
pub mod geometry;
pub mod group;
pub mod header;
pub mod in_flight;
pub mod kind;
pub mod labels;
pub mod record;
pub mod reset;
pub mod samples;
pub mod statuses;
pub mod text;

/// Bytes of a shared word. Every shared word is aligned to this and accessed whole.
pub const WORD_LENGTH: u64 = 8;
/// The cache line of the format, on every machine: two 64-byte lines, because x86-64 prefetches pairs of them and large aarch64
/// cores have lines of 128. The file must not depend on the host that compiled its writer.
pub const LINE_LENGTH: u64 = 128;
/// Words of a line.
pub const LINE_WORDS: usize = (LINE_LENGTH / WORD_LENGTH) as usize;
/// Alignment of regions, lanes and process slots: the largest page size of the supported machines, so that a private page can be
/// mapped over any lane or slot (fork), and the page size never enters the format.
pub const REGION_ALIGNMENT: u64 = 64 * 1024;

/// `value` rounded up to a multiple of `to` (a power of two); `None` when that does not fit.
pub const fn round_up(value: u64, to: u64) -> Option<u64> {
    match value.checked_add(to - 1) {
        Some(sum) => Some(sum & !(to - 1)),
        None => None,
    }
}

/// FNV-1a over 64 bits: the hash of the index and the checksum of the header and of records. Chosen because it is three lines in
/// any language; it guards against damage and mistakes, not against an attacker (SPEC.md section 13).
#[derive(Clone, Copy, Debug)]
pub struct Fnv(u64);

impl Fnv {
    /// The offset basis of the 64-bit FNV-1a.
    pub const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    /// The prime of the 64-bit FNV-1a.
    pub const PRIME: u64 = 0x0000_0100_0000_01b3;

    /// An empty hash.
    pub const fn new() -> Self {
        Self(Self::BASIS)
    }

    /// Takes up bytes.
    #[must_use]
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(Self::PRIME);
        }
        self
    }

    /// Takes up a word, lowest byte first on every machine.
    #[must_use]
    pub fn word(self, word: u64) -> Self {
        self.bytes(&word.to_le_bytes())
    }

    /// The hash of all that was taken up.
    pub const fn finish(self) -> u64 {
        self.0
    }
}

impl Default for Fnv {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fnv_matches_the_published_vectors() {
        assert_eq!(Fnv::new().finish(), 0xcbf2_9ce4_8422_2325);
        assert_eq!(Fnv::new().bytes(b"a").finish(), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(Fnv::new().bytes(b"foobar").finish(), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn round_up_never_wraps() {
        assert_eq!(round_up(0, 128), Some(0));
        assert_eq!(round_up(129, 128), Some(256));
        assert_eq!(round_up(u64::MAX, 128), None);
    }
}
