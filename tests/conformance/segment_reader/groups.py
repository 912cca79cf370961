"""Groups: fields that are counted together, over all lanes: SPEC 9.16, 10.25, 14."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .layout import SHARED_LANE, WORD_MASK, Segment, acquire_fence, up

RETRIES = 8  # of a block whose writer overwrites what is read [D-3]
BEGUN, LANDED, BASELINE = range(3)  # words of a block
FIELDS, COPIES = 16, 32  # line 1; the first copy
SHARED_LENGTH = 256
MAX_FIELDS, MAX_NAMES_LENGTH = 15, 15 * 64 - 1
NAME = re.compile(r"[A-Za-z0-9_.-]{1,63}", re.ASCII)


@dataclass(frozen=True)
class GroupShape:
    """Where things are in a block, in words from its start [9.16]."""

    fields: int
    copies: int

    @staticmethod
    def of_word(word: int) -> GroupShape | None:
        fields, log2 = word & 0xFF, word >> 8
        return GroupShape(fields, 1 << log2) if 1 <= fields <= MAX_FIELDS and 4 <= log2 <= 8 else None

    @property
    def stride(self) -> int:
        return 1 << (self.fields - 1).bit_length()

    def copy(self, update: int) -> int:
        return COPIES + update % self.copies * self.stride

    @property
    def length(self) -> int:  # in bytes
        return 128 * max(5, up(COPIES + self.copies * self.stride, 16) // 16 | 1)

    @property
    def buckets(self) -> int:
        """Of the reset block [9.11]."""
        return self.fields + 1


def names_of(text: str, shape: GroupShape) -> list[str] | None:
    names = text.split("\n")
    is_right = len(names) == shape.fields == len(set(names)) and all(map(NAME.fullmatch, names))
    return names if is_right else None


@dataclass(frozen=True)
class Held:
    """What a lane holds."""

    updates: int = 0
    fields: tuple[int, ...] = ()


@dataclass(slots=True)
class KeptGroup:
    """What was last read of a group in one lane, so that no field goes down."""

    held: Held = field(default_factory=Held)

    def _take(self, held: Held) -> int:
        """By how many updates it has less: only damage makes them go down."""
        if held.updates < self.held.updates:
            return self.held.updates - held.updates
        self.held = held
        return 0

    def lane(self, segment: Segment, shape: GroupShape, address: int) -> int:
        """Reads a lane; how many updates may be missing [12.3]."""
        first = segment.load(address, LANDED)
        for _ in range(RETRIES):
            landed = segment.load(address, LANDED)
            acquire_fence()
            copied = segment.copy(address, shape.copy(landed), shape.copy(landed) + shape.fields)
            acquire_fence()
            if (segment.load(address, BEGUN) - landed) & WORD_MASK < shape.copies:
                return self._take(Held(landed, tuple(copied)))
        now = segment.load(address, LANDED)
        return 0 if now != first and self.held.updates else max(now - self.held.updates, 1)

    def shared(self, segment: Segment, shape: GroupShape, address: int) -> int:
        """Reads the shared lane; how many updates may be there in part."""
        error = 0
        held = Held()
        for _ in range(RETRIES):
            landed = segment.load(address, LANDED)
            acquire_fence()
            held = Held(landed, tuple(segment.copy(address, FIELDS, FIELDS + shape.fields)))
            acquire_fence()
            error = abs(segment.load(address, BEGUN) - landed)
            if not error:
                break
        return max(error, self._take(held))


@dataclass
class Fields:
    """A group, over all lanes."""

    fields: dict[str, int] = field(default_factory=dict)
    updates: int = 0
    error: int = 0

    def add(self, names: list[str], values: list[int]) -> None:
        """The last value is the number of updates."""
        for name, value in zip(names, values):
            self.fields[name] = self.fields.get(name, 0) + value & WORD_MASK
        self.updates = self.updates + values[-1] & WORD_MASK

    @property
    def says_nothing(self) -> bool:
        return self.updates == self.error == 0 and not any(self.fields.values())


def added_up(segment: Segment, members: list[Any], lanes: Iterable[int], kept: dict[tuple[int, int], KeptGroup],
             baselines: dict[int, Any]) -> Fields:
    """The records of a group, oldest first, over these lanes, minus what they had at their resets [14]."""
    found = Fields()
    for series in members:
        values = [0] * series.group.buckets
        for lane in lanes:
            if (address := segment.block(lane, series.placement)) is None:
                continue
            known = kept.setdefault((series.number, lane), KeptGroup())
            found.error += (known.shared if lane == SHARED_LANE else known.lane)(segment, series.group, address)
            held = (*known.held.fields, known.held.updates) if known.held.fields else ()
            for at, value in enumerate(held):
                values[at] = values[at] + value & WORD_MASK
        if (baseline := baselines.get(series.number)) is not None:
            found.error += baseline.error
            for at, before in baseline.buckets.items():
                found.error += max(0, before - values[at])
                values[at] = max(0, values[at] - before)
        found.add(series.fields, values)
    return found
