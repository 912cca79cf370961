"""The buckets of histograms, and where they stand in a block: SPEC 9.7, 9.8, and of 14 the schemes of revisions."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from .layout import float_of, up

STATE_BUCKETS = 8  # words from the start of a state to its buckets
RING_STATE = 2  # words from the start of a ring slot to its state

MAX_BUCKETS = 8194
MAX_SCALE = 7
MIN_LOW, MAX_HIGH = -1022, 1023


def mantissa(part: int) -> int:
    """M: the 52 bits of 2^(part / 128), rounded to the nearest float [9.8]; by roots of whole numbers, hence exact."""
    root = 1 << (53 * 128 + part)
    for _ in range(7):
        root = math.isqrt(root)
    return (root + 1) // 2 - 2**52


MANTISSAS = tuple(map(mantissa, range(128)))


@dataclass(frozen=True)
class BlockShape:
    """Where things are in a block, in words from its start [9.7]."""

    buckets: int  # NB
    ring_slots: int  # N

    def state_words(self, header_words: int) -> int:
        return up(header_words + self.buckets, 16)

    def latch_copy(self, copy: int) -> int:
        return 16 + up(self.buckets, 16) + copy * self.state_words(STATE_BUCKETS)

    def ring_slot(self, slot: int) -> int:
        return self.latch_copy(2) + slot * self.state_words(RING_STATE + STATE_BUCKETS)

    @property
    def length(self) -> int:  # in bytes
        return 128 * max(5, self.ring_slot(self.ring_slots) // 16 | 1)


@dataclass(frozen=True)
class SamplesShape:
    """Where things are in a block of samples [9.13]."""

    shown: int

    @property
    def entries(self) -> int:
        return 1 << (self.shown + self.shown // 4).bit_length()

    @property
    def length(self) -> int:  # in bytes
        return 128 * max(5, up(16 + 2 * self.entries, 16) // 16 | 1)


@dataclass(frozen=True)
class Exponential:
    """Buckets of kinds 5 and 6 [9.8]."""

    scale: int
    low: int
    high: int

    @property
    def buckets(self) -> int:
        return ((self.high - self.low) << self.scale) + 2

    @property
    def is_valid(self) -> bool:
        return (0 <= self.scale <= MAX_SCALE and MIN_LOW <= self.low < self.high <= MAX_HIGH
                and self.buckets <= MAX_BUCKETS)

    def upper(self, bucket: int) -> float:
        """U(i), exact to the bit; not for the overflow bucket, which has none."""
        exponent, part = divmod((self.low << self.scale) + bucket, 1 << self.scale)
        return float_of((exponent + 1023) << 52 | MANTISSAS[part << (MAX_SCALE - self.scale)])

    def lower(self, bucket: int) -> float:
        return self.upper(bucket - 1) if bucket else 0.0

    def bucket_in(self, common: Scheme, bucket: int) -> int:
        """The bucket of the common scheme that ends where this one ends, or above; overflow goes to overflow [14]."""
        assert isinstance(common, Exponential), "revisions in one family are of one kind"
        if bucket == self.buckets - 1:
            return common.buckets - 1
        power = (self.low << self.scale) + bucket
        return -(-power >> (self.scale - common.scale)) - (common.low << common.scale)


@dataclass(frozen=True)
class Classic:
    """Buckets of kind 7: given bounds, then +Inf [7.4, 8.1]."""

    bounds: array[float]

    @property
    def buckets(self) -> int:
        return len(self.bounds) + 1

    @property
    def is_valid(self) -> bool:
        return (all(map(math.isfinite, self.bounds))
                and all(left < right for left, right in zip(self.bounds, self.bounds[1:])))

    def upper(self, bucket: int) -> float:
        return self.bounds[bucket]

    def lower(self, bucket: int) -> float:
        return self.bounds[bucket - 1] if bucket else min(0.0, self.bounds[0])

    def bucket_in(self, common: Scheme, bucket: int) -> int:
        return bucket  # of classic revisions only one is shown


Scheme = Exponential | Classic


def common_scheme(schemes: Sequence[Scheme]) -> Scheme:
    """The scheme that revisions are added in [14]."""
    exponential = [scheme for scheme in schemes if isinstance(scheme, Exponential)]
    if not exponential:
        return schemes[0]
    low, high = min(scheme.low for scheme in exponential), max(scheme.high for scheme in exponential)
    scale = min(scheme.scale for scheme in exponential)
    while Exponential(scale, low, high).buckets > MAX_BUCKETS:
        scale -= 1
    return Exponential(scale, low, high)
