"""Copying a histogram that others write: SPEC 9.7, 10.11 (live), 10.12 (latch), 10.13 (ring), 10.14 (shared lane)."""

from __future__ import annotations

from dataclasses import dataclass, field

from .buckets import RING_STATE, STATE_BUCKETS, BlockShape
from .layout import LANE_INCARNATION, WORD_MASK, Segment, acquire_fence

RETRIES = 8  # of any copy that may be torn [D-3]
(COUNT, SUM, SUM_ODD, LOWEST, HIGHEST, MINIMUM, MAXIMUM, INVALID, EPOCH, LATCH_BEGIN, LATCH_VERSION, ROTATIONS,
 BASELINE_COUNT, BASELINE_SUM) = range(14)  # words of a block
LANDED = SUM_ODD  # its name in the shared lane
BUCKETS = 16
RING_BEGIN, RING_LABEL = range(2)  # words of a ring slot


@dataclass(frozen=True)
class State:
    """What a histogram held after some number of records; `sum`, `minimum` and `maximum` are words as stored."""

    count: int = 0
    sum: int = 0
    minimum: int = 0
    maximum: int = 0
    invalid: int = 0
    buckets: dict[int, int] = field(default_factory=dict)  # those that hold something


def total_of(buckets: dict[int, int]) -> int:
    return sum(buckets.values()) & WORD_MASK


class Block:
    """The reading protocols of one block; `address` and `lane_entry` are bytes. The shared lane has only `shared`."""

    def __init__(self, segment: Segment, shape: BlockShape, address: int, lane_entry: int) -> None:
        self.segment = segment
        self.shape = shape
        self.address = address
        self.lane_entry = lane_entry

    def load(self, word: int) -> int:
        return self.segment.load(self.address, word)

    def copy_buckets(self, first: int, lowest: int, highest: int) -> dict[int, int]:
        """The touched buckets, after cutting both marks at NB [9.7, D-4]."""
        start, end = self.shape.buckets - min(lowest, self.shape.buckets), min(highest, self.shape.buckets)
        copied = self.segment.copy(self.address, first + start, first + end)
        return {start + at: inside for at, inside in enumerate(copied) if inside}

    def copy_state(self, at: int) -> State | None:
        """A state in the latch or the ring; None: the buckets do not add up to the count."""
        count, total, lowest, highest, *others = self.segment.copy(self.address, at, at + STATE_BUCKETS - 1)
        buckets = self.copy_buckets(at + STATE_BUCKETS, lowest, highest)
        return State(count, total, *others, buckets) if total_of(buckets) == count else None

    def live(self) -> State | None:
        """10.11; None: torn."""
        incarnation = self.segment.load(self.lane_entry, LANE_INCARNATION)  # R0
        begun = self.load(COUNT)  # R1
        acquire_fence()
        buckets = self.copy_buckets(BUCKETS, self.load(LOWEST), self.load(HIGHEST))  # R2
        acquire_fence()
        sums = self.load(SUM), self.load(SUM_ODD)  # R3
        others = self.load(MINIMUM), self.load(MAXIMUM), self.load(INVALID)
        acquire_fence()
        begun_after = self.load(COUNT)  # R4
        acquire_fence()
        incarnation_after = self.segment.load(self.lane_entry, LANE_INCARNATION)
        landed = total_of(buckets)
        if begun != begun_after or incarnation != incarnation_after or (begun - landed) & WORD_MASK > 1:
            return None
        return State(landed, sums[landed & 1], *others, buckets)

    def latch(self) -> State | None:
        """10.12; None: nothing sealed, or torn."""
        version = self.load(LATCH_VERSION)
        acquire_fence()
        if version == 0:
            return None
        state = self.copy_state(self.shape.latch_copy(version & 1))
        acquire_fence()
        begun = self.load(LATCH_BEGIN)
        return state if (begun - version) & WORD_MASK <= 1 else None

    def at_epoch(self, epoch: int) -> State | None:
        """The state at an epoch >= 0 [10.13], in a bounded number of tries; None: lost."""
        for _ in range(RETRIES):
            newest = self.load(EPOCH)  # step 1
            rotations = self.load(ROTATIONS)  # step 2; the fence is also that of step 1
            acquire_fence()
            if newest <= epoch:
                state = self.live()
                acquire_fence()
                is_stable = self.load(EPOCH) <= epoch
            else:
                slot = self._ring_slot(newest, rotations, epoch)
                if slot is None:
                    return None
                state = self.copy_state(self.shape.ring_slot(slot) + RING_STATE)  # step 5
                acquire_fence()
                is_stable = self.load(ROTATIONS) == rotations
            if state is not None and is_stable:
                return state
        return None

    def _ring_slot(self, newest: int, rotations: int, epoch: int) -> int | None:
        """Steps 3 and 4: the slot that holds the state at an epoch."""
        labels: list[tuple[int, int]] = []  # with slots; of those that are not passed over
        overwritten = rotations > self.shape.ring_slots
        for slot in range(self.shape.ring_slots):
            at = self.shape.ring_slot(slot)
            label, begin = self.load(at + RING_LABEL), self.load(at + RING_BEGIN)
            if label != 0 and label == begin:
                labels.append((label, slot))
            elif label != 0:
                overwritten = True
        least, slot = min(((label, slot) for label, slot in labels if epoch <= label < newest), default=(0, 0))
        is_known = least == epoch or any(label < epoch for label, _ in labels) or not overwritten
        return slot if epoch and least and is_known else None

    def shared(self) -> tuple[State, int]:
        """10.14, 12.3: a state of the shared lane, and by how much its count may be off."""
        for _ in range(RETRIES):
            landed = self.load(LANDED)
            acquire_fence()
            buckets = self.copy_buckets(BUCKETS, self.load(LOWEST), self.load(HIGHEST))
            words = [self.load(word) for word in (SUM, MINIMUM, MAXIMUM, INVALID)]
            acquire_fence()
            begun, count = self.load(COUNT), total_of(buckets)
            error = max(abs(begun - landed), abs(count - landed))
            if error == 0:
                break
        return State(count, *words, buckets), error
