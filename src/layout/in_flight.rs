//! The block of an in-flight series: which keys are being worked on. It is in the shared lane only; all processes write it.
//!
//! ```text
//! line 0     0x00 overflow   0x08 forgotten   rest reserved
//! bucket     a line: 8 claim words, then 8 start words           a look-up loads one line
//!            8 texts, a line each: length and check, 120 bytes
//!            one more line if the number of lines is even
//! claim      runs · starting << 8 · slot + 1 << 9 · incarnation << 22 · tag << 40            0 = free
//! start      check of the claim · monotonic clock in µs << 16
//! text word  length · cut << 8 · check of the text << 32
//! ```

use super::fields::fields;
use super::geometry::MAX_PROCESS_SLOTS;
use super::{LINE_LENGTH, LINE_WORDS};

fields! {
    /// The words of line 0 that have a meaning.
    FIELDS, words:
    /// Starts that found no entry.
    OVERFLOW = 0, A64 "in_flight_overflow";
    /// Entries of the dead, and parked ones, that were given to another key.
    FORGOTTEN = 1, A64 "in_flight_forgotten";
}

fields! {
    /// The line of an entry's text.
    TEXT_FIELDS, bytes:
    /// Length of the text, whether it is cut, and a check.
    KEY_WORD_OFFSET = 0x00, A64 "key_word";
    /// The key, or as much of it as there is room for.
    KEY_TEXT_OFFSET = 0x08, Text "key_text", KEY_TEXT_LENGTH as u64;
}

/// Entries of a bucket: as many as have their claims and starts on one line.
pub const ENTRIES: usize = 8;
/// Lines of a bucket.
const BUCKET_LINES: usize = 1 + ENTRIES;
/// Longest text of a key, bytes.
pub const KEY_TEXT_LENGTH: usize = LINE_LENGTH as usize - 8;
/// Most buckets, as a power of two.
const MAX_LOG2_BUCKETS: u64 = 12;
/// Most entries.
pub const MAX_IN_FLIGHT: u64 = (ENTRIES as u64) << MAX_LOG2_BUCKETS;
/// Microseconds of a start word: 2^48 are nine years since the machine was started.
const MICROSECONDS: u64 = (1 << 48) - 1;
/// Text word: the key is longer, and its text is cut.
pub const KEY_TEXT_CUT: u64 = 1 << 8;
/// Factor of the hash: 2^64 divided by the golden ratio, odd.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// Where the parts of a block are. Offsets are words from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InFlightShape {
    log2_buckets: u8,
}

impl InFlightShape {
    /// 512 entries, 72 KiB.
    pub const DEFAULT: Self = Self { log2_buckets: 6 };

    /// With at least so many entries; `None` if that is 0 or more than [`MAX_IN_FLIGHT`].
    pub const fn with_entries(entries: u64) -> Option<Self> {
        if entries == 0 || entries > MAX_IN_FLIGHT {
            return None;
        }
        let buckets = entries.div_ceil(ENTRIES as u64).next_power_of_two();
        Some(Self {
            log2_buckets: buckets.trailing_zeros() as u8,
        })
    }

    /// As the word `buckets` of a record.
    pub const fn pack(self) -> u64 {
        self.log2_buckets as u64
    }

    /// From the word `buckets` of a record; `None` if it is outside its limits.
    pub const fn unpack(word: u64) -> Option<Self> {
        if word > MAX_LOG2_BUCKETS {
            return None;
        }
        Some(Self {
            log2_buckets: word as u8,
        })
    }

    /// Buckets, a power of two.
    pub const fn buckets(self) -> usize {
        1 << self.log2_buckets
    }

    /// Entries.
    pub const fn entries(self) -> usize {
        self.buckets() * ENTRIES
    }

    /// The bucket of a key with this hash.
    pub const fn bucket_of(self, hash: u64) -> usize {
        hash as usize & (self.buckets() - 1)
    }

    /// First claim word of a bucket.
    pub const fn claims(self, bucket: usize) -> usize {
        LINE_WORDS + bucket * BUCKET_LINES * LINE_WORDS
    }

    /// First start word of a bucket.
    pub const fn starts(self, bucket: usize) -> usize {
        self.claims(bucket) + ENTRIES
    }

    /// Text word of an entry of a bucket; its text follows.
    pub const fn text(self, bucket: usize, entry: usize) -> usize {
        self.claims(bucket) + (1 + entry) * LINE_WORDS
    }

    /// Words of the block.
    pub const fn words(self) -> usize {
        ((1 + self.buckets() * BUCKET_LINES) | 1) * LINE_WORDS
    }

    /// Bytes of the block, all of which are used in the shared lane, and none in a lane.
    pub const fn length(self) -> u64 {
        self.words() as u64 * 8
    }
}

/// A claim word. It says all that matters of an entry, so that none is ever half claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim(pub u64);

const STARTING: u64 = 1 << 8;
const SLOT_SHIFT: u32 = 9;
const SLOT_MASK: u64 = (1 << 13) - 1;
const INCARNATION_SHIFT: u32 = 22;
/// Bits of a slot's incarnation that a claim has room for.
pub const INCARNATION_MASK: u64 = (1 << 18) - 1;
const TAG_SHIFT: u32 = 40;
const OWNER: u64 = SLOT_MASK << SLOT_SHIFT | INCARNATION_MASK << INCARNATION_SHIFT;

/// Every slot, plus one, has room.
const _: () = assert!(MAX_PROCESS_SLOTS <= SLOT_MASK);

impl Claim {
    /// Nobody has the entry.
    pub const FREE: Claim = Claim(0);
    /// Most runs that are told apart.
    pub const MAX_RUNS: u64 = 255;

    /// A first start of the key with this hash, by an incarnation of a slot.
    pub const fn new(hash: u64, slot: u64, incarnation: u64) -> Claim {
        Claim(
            1 | STARTING
                | ((slot + 1) & SLOT_MASK) << SLOT_SHIFT
                | (incarnation & INCARNATION_MASK) << INCARNATION_SHIFT
                | hash >> TAG_SHIFT << TAG_SHIFT,
        )
    }

    /// The part of the key's hash that does not select the bucket.
    pub const fn tag(self) -> u64 {
        self.0 >> TAG_SHIFT
    }

    /// How often the key was started.
    pub const fn runs(self) -> u64 {
        self.0 & Self::MAX_RUNS
    }

    /// As it is, with so many runs, as far as they have room.
    pub const fn with_runs(self, runs: u64) -> Claim {
        let runs = if runs > Self::MAX_RUNS {
            Self::MAX_RUNS
        } else {
            runs
        };
        Claim(self.0 & !Self::MAX_RUNS | runs)
    }

    /// Has its owner not yet said since when?
    pub const fn is_starting(self) -> bool {
        self.0 & STARTING != 0
    }

    /// Start and text are stored.
    pub const fn settled(self) -> Claim {
        Claim(self.0 & !STARTING)
    }

    /// Nobody works on the key; how often it was started stays known.
    pub const fn parked(self) -> Claim {
        Claim(self.0 & !(OWNER | STARTING))
    }

    /// Is it known how often the key was started, while nobody works on it?
    pub const fn is_parked(self) -> bool {
        self.0 != 0 && self.0 & OWNER == 0
    }

    /// The slot of its owner; `None` if nobody works on it, or if the number cannot be a slot's.
    pub const fn slot(self, process_slots: u64) -> Option<u64> {
        match self.0 >> SLOT_SHIFT & SLOT_MASK {
            0 => None,
            number if number <= process_slots => Some(number - 1),
            _ => None,
        }
    }

    /// The low bits of the incarnation of its owner's slot.
    pub const fn incarnation(self) -> u64 {
        self.0 >> INCARNATION_SHIFT & INCARNATION_MASK
    }

    /// Whose start word belongs to this claim, in 16 bits.
    const fn check(self) -> u64 {
        self.settled().0.wrapping_mul(FACTOR) >> 48
    }

    /// The start word of this claim.
    pub const fn start_word(self, microseconds: u64) -> u64 {
        (microseconds & MICROSECONDS) << 16 | self.check()
    }

    /// Since when, in microseconds of the monotonic clock, if this start word is of this claim.
    pub const fn started_us(self, start_word: u64) -> Option<u64> {
        if self.is_starting() || start_word & 0xffff != self.check() {
            return None;
        }
        Some(start_word >> 16)
    }
}

/// The hash of a key: 8 bytes at a time, so that a start costs little more than its stores.
#[inline]
pub fn key_hash(key: &[u8]) -> u64 {
    let step = |hash: u64, word: u64| {
        let product = (hash ^ word).wrapping_mul(FACTOR);
        product ^ product >> 32
    };
    let (words, rest) = key.as_chunks::<8>();
    let mut hash = words.iter().fold(key.len() as u64, |hash, word| {
        step(hash, u64::from_le_bytes(*word))
    });
    if !rest.is_empty() {
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        hash = step(hash, u64::from_le_bytes(last));
    }
    step(hash, 0)
}

/// The text of a key as an entry has it: cut at a character, with its check.
#[derive(Clone, Copy)]
pub struct KeyText<'a> {
    /// The hash of the whole key.
    pub hash: u64,
    bytes: &'a [u8],
    word: u64,
}

impl<'a> KeyText<'a> {
    /// Of this key.
    #[inline]
    pub fn new(key: &'a str) -> Self {
        let hash = key_hash(key.as_bytes());
        if key.len() <= KEY_TEXT_LENGTH {
            return Self {
                hash,
                bytes: key.as_bytes(),
                word: key.len() as u64 | text_check(hash, hash >> TAG_SHIFT),
            };
        }
        let end = (0..=KEY_TEXT_LENGTH).rev().find(|at| key.is_char_boundary(*at));
        let bytes = &key.as_bytes()[..end.unwrap_or(0)];
        Self {
            hash,
            bytes,
            word: bytes.len() as u64 | KEY_TEXT_CUT | text_check(key_hash(bytes), hash >> TAG_SHIFT),
        }
    }

    /// The text word.
    #[inline]
    pub const fn word(&self) -> u64 {
        self.word
    }

    /// The words of the text, as many as it needs, padded with NUL.
    #[inline]
    pub fn words(&self) -> impl Iterator<Item = u64> + '_ {
        self.bytes.chunks(8).map(|chunk| {
            let mut bytes = [0; 8];
            bytes[..chunk.len()].copy_from_slice(chunk);
            u64::from_ne_bytes(bytes)
        })
    }
}

const fn text_check(text_hash: u64, tag: u64) -> u64 {
    (text_hash >> 32 ^ tag) << 32
}

/// The text of a key as a reader has it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct StoredKey {
    bytes: [u8; KEY_TEXT_LENGTH],
    length: u8,
    truncated: bool,
}

impl StoredKey {
    /// The text that belongs to an entry with this tag, from copies of its text word and of its text. `None`: it is another key's, or
    /// overtaken, or damaged.
    pub fn parse(tag: u64, word: u64, text: &[u64; LINE_WORDS - 1]) -> Option<StoredKey> {
        let length = word as u8;
        let mut bytes = [0; KEY_TEXT_LENGTH];
        for (chunk, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(text) {
            *chunk = word.to_ne_bytes();
        }
        let text = bytes.get(..usize::from(length))?;
        let is_whole =
            word >> 32 << 32 == text_check(key_hash(text), tag) && core::str::from_utf8(text).is_ok();
        is_whole.then_some(StoredKey {
            bytes,
            length,
            truncated: word & KEY_TEXT_CUT != 0,
        })
    }

    /// The key, or as much of it as is stored.
    pub fn text(&self) -> &str {
        // `parse` has seen that it is UTF-8.
        core::str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or_default()
    }

    /// Was the key longer?
    pub const fn is_truncated(&self) -> bool {
        self.truncated
    }
}

impl core::fmt::Debug for StoredKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:?}{}", self.text(), if self.truncated { "…" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_never_overlap_and_lines_are_odd() {
        for log2 in 0..=MAX_LOG2_BUCKETS {
            let shape = InFlightShape::unpack(log2).unwrap();
            assert_eq!(InFlightShape::unpack(shape.pack()), Some(shape));
            let last = shape.text(shape.buckets() - 1, ENTRIES - 1) + LINE_WORDS;
            assert!(last <= shape.words() && shape.words() / LINE_WORDS % 2 == 1);
            assert!(shape.length() <= super::super::record::MAX_BLOCK_LENGTH);
            assert_eq!(shape.claims(1), shape.text(0, ENTRIES - 1) + LINE_WORDS);
        }
        assert_eq!(InFlightShape::unpack(MAX_LOG2_BUCKETS + 1), None);
        assert_eq!(InFlightShape::with_entries(0), None);
        assert_eq!(InFlightShape::with_entries(MAX_IN_FLIGHT + 1), None);
        for (entries, expected) in [(1, 8), (8, 8), (9, 16), (512, 512), (MAX_IN_FLIGHT, 32_768)] {
            assert_eq!(InFlightShape::with_entries(entries).unwrap().entries(), expected);
        }
    }

    #[test]
    fn a_claim_keeps_its_parts_apart() {
        let claim = Claim::new(u64::MAX, MAX_PROCESS_SLOTS - 1, u64::MAX);
        assert_eq!(
            (claim.runs(), claim.tag(), claim.is_starting()),
            (1, (1 << 24) - 1, true)
        );
        assert_eq!(claim.slot(MAX_PROCESS_SLOTS), Some(MAX_PROCESS_SLOTS - 1));
        assert_eq!((claim.slot(1), claim.incarnation()), (None, INCARNATION_MASK));
        assert_eq!(claim.with_runs(300).runs(), 255);
        assert_eq!(claim.with_runs(300).tag(), claim.tag());
        let parked = claim.with_runs(3).parked();
        assert!(parked.is_parked() && !claim.is_parked() && !Claim::FREE.is_parked());
        assert_eq!(
            (parked.runs(), parked.slot(4096), parked.tag()),
            (3, None, claim.tag())
        );
        let settled = claim.settled();
        assert_eq!(settled.started_us(claim.start_word(77)), Some(77));
        assert_eq!(claim.started_us(claim.start_word(77)), None, "not said yet");
        let other = settled.with_runs(2);
        assert_eq!(other.started_us(claim.start_word(77)), None, "another run's");
    }

    #[test]
    fn a_text_is_that_of_its_key_or_nothing() {
        let stored = |key: &str| {
            let text = KeyText::new(key);
            let mut words = [0; LINE_WORDS - 1];
            words
                .iter_mut()
                .zip(text.words())
                .for_each(|(to, word)| *to = word);
            (text.hash >> TAG_SHIFT, text.word(), words)
        };
        let long = format!("{}\u{20ac}", "x".repeat(118));
        for (key, shown) in [("", ""), ("GET /", "GET /"), (&long[..], &long[..118])] {
            let (tag, word, words) = stored(key);
            let found = StoredKey::parse(tag, word, &words).unwrap();
            assert_eq!((found.text(), found.is_truncated()), (shown, key != shown));
            assert_eq!(StoredKey::parse(tag ^ 1, word, &words), None);
            assert_eq!(StoredKey::parse(tag, word ^ 1 << 40, &words), None);
            assert_eq!(StoredKey::parse(tag, 121 | word & !255, &words), None);
        }
        let (tag, word, mut words) = stored("GET /");
        words[0] ^= 1;
        assert_eq!(StoredKey::parse(tag, word, &words), None);
    }

    #[test]
    fn hashes_are_those_of_the_text() {
        // As in SPEC.md.
        assert_eq!(key_hash(b""), 0);
        assert_eq!(key_hash(b"a"), 0x27d1_3417_8074_a30c);
        assert_eq!(key_hash(b"12345678"), 0xa38d_c147_0772_55e7);
        assert_eq!(key_hash(b"https://example.org/"), 0x8062_a199_463a_25f1);
    }
}
