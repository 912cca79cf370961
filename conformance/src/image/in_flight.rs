//! What is in flight: keys that are started, parked and ended. SPEC.md 9.14, 10.23.

use shmetrics::layout::directory::OwnerTag;

use super::{Image, Place, SHARED, Scheme, Series};

/// The last step of a start that was done (10.23).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Starting {
    /// An entry is claimed.
    F1,
    /// Its start is stored, and some of its text.
    F4Partly,
    /// Start and text are stored.
    F4,
    /// The claim is settled.
    F5,
}

const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
const STARTING: u64 = 1 << 8;
const ENTRIES: u64 = 8;
const LINE: u64 = 128;
/// Longest text of a key.
const TEXT_LENGTH: usize = 120;

/// The hash of a key (9.14).
pub(super) fn key_hash(key: &[u8]) -> u64 {
    let step = |hash: u64, word: u64| {
        let product = (hash ^ word).wrapping_mul(FACTOR);
        product ^ product >> 32
    };
    let mut hash = key.len() as u64;
    for chunk in key.chunks(8) {
        let word = (0..)
            .zip(chunk)
            .fold(0, |word, (at, byte)| word | u64::from(*byte) << (8 * at));
        hash = step(hash, word);
    }
    step(hash, 0)
}

fn is_parked(claim: u64) -> bool {
    claim >> 9 & 0x7fff_ffff == 0
}

/// The claim of a process, for a first start that is not settled.
fn claim_of(hash: u64, owner: OwnerTag) -> u64 {
    1 | STARTING | owner.0 >> 48 << 9 | (owner.0 & 0x3_ffff) << 22 | hash >> 40 << 40
}

impl Image {
    /// Where the entries of a bucket are: its claims, then its starts, then its texts.
    fn bucket(&self, series: &Series, bucket: u64) -> u64 {
        self.block_offset(series, SHARED) + LINE * (1 + 9 * bucket)
    }

    fn bucket_of(&self, series: &Series, hash: u64) -> u64 {
        let Scheme::InFlight(log2) = series.scheme else {
            panic!("{series:?} has nothing in flight");
        };
        self.bucket(series, hash & ((1 << log2) - 1))
    }

    /// Where the claim of a key is.
    pub fn claim_of_key(&self, series: &Series, key: &str) -> Option<u64> {
        let hash = key_hash(key.as_bytes());
        let bucket = self.bucket_of(series, hash);
        let has_tag = |offset: &u64| self.word(*offset) != 0 && self.word(*offset) >> 40 == hash >> 40;
        (0..ENTRIES).map(|entry| bucket + 8 * entry).find(has_tag)
    }

    /// Starts a key and stops after a step: in the entry that it has, or else in the first free one of its bucket.
    pub fn start_key_until(
        &mut self,
        series: &Series,
        key: &str,
        owner: OwnerTag,
        now_us: u64,
        until: Starting,
    ) -> &mut Self {
        let hash = key_hash(key.as_bytes());
        let bucket = self.bucket_of(series, hash);
        let free = || {
            (0..ENTRIES)
                .map(|entry| bucket + 8 * entry)
                .find(|offset| self.word(*offset) == 0)
        };
        let offset = self
            .claim_of_key(series, key)
            .or_else(free)
            .expect("a free entry");
        let runs = (self.word(offset) & 0xff).min(254);
        let claim = claim_of(hash, owner) + runs;
        self.set_word(offset, claim);
        if until == Starting::F1 {
            return self;
        }
        let check = (claim & !STARTING).wrapping_mul(FACTOR) >> 48;
        self.set_word(offset + 8 * ENTRIES, now_us << 16 | check);
        let end = (0..=key.len().min(TEXT_LENGTH))
            .rev()
            .find(|at| key.is_char_boundary(*at));
        let stored = &key.as_bytes()[..end.unwrap_or(0)];
        let cut = if stored.len() < key.len() { 1 << 8 } else { 0 };
        let check = key_hash(stored) >> 32 ^ hash >> 40;
        let text = bucket + LINE * (1 + (offset - bucket) / 8);
        self.set(
            Place::InFlightText(text),
            "key_word",
            stored.len() as u64 | cut | check << 32,
        );
        let length = if until == Starting::F4Partly {
            stored.len() / 2
        } else {
            stored.len()
        };
        self.put_bytes(
            self.offset(Place::InFlightText(text), "key_text"),
            &stored[..length],
        );
        if until == Starting::F5 {
            self.set_word(offset, claim & !STARTING);
        }
        self
    }

    /// Starts a key.
    pub fn start_key(&mut self, series: &Series, key: &str, owner: OwnerTag, now_us: u64) -> &mut Self {
        self.start_key_until(series, key, owner, now_us, Starting::F5)
    }

    /// Parks a key that was started.
    pub fn park_key(&mut self, series: &Series, key: &str) -> &mut Self {
        let offset = self.claim_of_key(series, key).expect("a key that was started");
        let claim = self.word(offset);
        self.set_word(offset, claim >> 40 << 40 | claim & 0xff)
    }

    /// Ends a key that was started.
    pub fn finish_key(&mut self, series: &Series, key: &str) -> &mut Self {
        let offset = self.claim_of_key(series, key).expect("a key that was started");
        self.set_word(offset, 0)
    }

    /// How many entries of a series nobody works on, and how many an active owner of a slot does.
    pub fn count_keys(&self, series: &Series) -> (u64, u64) {
        let Scheme::InFlight(log2) = series.scheme else {
            return (0, 0);
        };
        let (mut parked, mut active) = (0, 0);
        for bucket in 0..1 << log2 {
            let claims = (0..ENTRIES).map(|entry| self.word(self.bucket(series, bucket) + 8 * entry));
            for claim in claims.filter(|claim| *claim != 0) {
                let slot = (claim >> 9 & 0x1fff).wrapping_sub(1);
                if is_parked(claim) {
                    parked += 1;
                } else if slot < self.geometry.capacities.process_slots {
                    let owner = self.get(Place::Process(slot), "process_owner");
                    let is_its = owner >> 2 & 0x3_ffff == claim >> 22 & 0x3_ffff;
                    active += u64::from(is_its && owner & 3 == 2);
                }
            }
        }
        (parked, active)
    }
}
