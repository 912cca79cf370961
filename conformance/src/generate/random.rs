//! Numbers from a seed, the same for ever.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// A sequence of numbers.
#[derive(Clone, Debug)]
pub(super) struct Random(ChaCha8Rng);

impl Random {
    /// The sequence of a seed: the key is the seed, lowest byte first, and zeros.
    pub(super) fn new(seed: u64) -> Random {
        Random::beside(seed, 0)
    }

    /// Another sequence of the same seed: what is drawn from it changes no other.
    pub(super) fn beside(seed: u64, number: u8) -> Random {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8] = number;
        Random(ChaCha8Rng::from_seed(key))
    }

    /// The next 64 bits.
    pub(super) fn word(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `limit`. The high half of a product: its bias is below 2^-50 for what is drawn here.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        ((u128::from(self.word()) * u128::from(limit)) >> 64) as u64
    }

    /// True once in `limit` times.
    pub(super) fn one_in(&mut self, limit: u64) -> bool {
        self.below(limit) == 0
    }

    /// One of these, which must not be empty.
    pub(super) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }
}
