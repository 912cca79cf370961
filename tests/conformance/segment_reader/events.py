"""Events: SPEC 9.12 (rings, schemas), 10.21 (reading them), 14 (how many)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .layout import SHARED_LANE, Segment, acquire_fence, bytes_of, float_of

POSITION, DROPPED, BASELINE = 0, 1, 12  # words of line 0
SEQUENCE, TIME, SHAPE, WRITER, PAYLOAD = range(5)  # words of a record
TEXT_CUT = 1 << 32
MAX_KINDS = MAX_FIELDS = 64
NAME = re.compile(r"[A-Za-z0-9_.-]{1,63}\Z")
NUMBER = re.compile(r"[1-9][0-9]*\Z")


@dataclass(frozen=True)
class Ring:
    """N records of W words."""

    capacity: int
    words: int

    @classmethod
    def of_word(cls, word: int) -> Ring | None:
        log2, words = word & 0xFF, word >> 16 & 0xFFFF
        if word != log2 | words << 16 or not 1 <= log2 <= 16 or not 8 <= words <= 512 or words % 8:
            return None
        return cls(2**log2, words) if cls(2**log2, words).length <= 8388608 else None

    def record(self, position: int) -> int:
        return 16 + position % self.capacity * self.words

    @property
    def length(self) -> int:
        lines = -(-(16 + self.capacity * self.words) // 16) | 1
        return 128 * max(5, lines)


@dataclass(frozen=True)
class Field:
    name: str
    type: str
    word: int
    most: int  # bytes of a text


@dataclass(frozen=True)
class EventKind:
    name: str
    fields: list[Field]


def whole(text: str, most: int) -> int:
    """A decimal number from 1 on; 0 if it is none."""
    return int(text) if NUMBER.match(text) and int(text) <= most else 0


def schema_of(text: str, ring: Ring) -> dict[int, EventKind] | None:
    """The kinds by code; None: it is no schema."""
    kinds: dict[int, EventKind] = {}
    for line in text.split("\n"):
        code, _, rest = line.partition(" ")
        name, *declared = rest.split(" ")
        number = whole(code, 65535)
        fields: list[Field] = []
        word = PAYLOAD
        for each in declared:
            field_name, _, kind = each.partition(":")
            most = whole(kind[4:], 65535) if kind.startswith("text") else 0
            if not NAME.match(field_name) or not (most or kind in ("u64", "i64", "f64", "bool")):
                return None
            if field_name in (field.name for field in fields):
                return None
            fields.append(Field(field_name, kind[:4] if most else kind, word, most))
            word += 1 + -(-most // 8)
        is_known = any(name == kind.name for kind in kinds.values())
        if not number or not NAME.match(name) or is_known or number <= max(kinds, default=0):
            return None
        if word > ring.words or len(fields) > MAX_FIELDS:
            return None
        kinds[number] = EventKind(name, fields)
    return kinds if len(kinds) <= MAX_KINDS else None


@dataclass(frozen=True)
class Totals:
    written: int = 0
    dropped: int = 0
    held: int = 0
    fullest: int = 0
    capacity: int = 0


@dataclass(frozen=True)
class Event:
    time: int
    code: int
    writer: int
    kind: EventKind | None
    values: dict[str, object]
    truncated: list[str]


class Rings:
    """The rings of one series."""

    def __init__(self, segment: Segment, ring: Ring, schema: dict[int, EventKind], placement: int) -> None:
        self.segment = segment
        self.ring = ring
        self.schema = schema
        self.placement = placement

    def _block(self, lane: int) -> int | None:
        return self.segment.block(lane, self.placement)

    def end(self, block: int) -> int:
        """O1."""
        position = self.segment.load(block, POSITION)
        acquire_fence()
        landed = self.segment.load(block, self.ring.record(position) + SEQUENCE) == 2 * position + 2
        return position + landed

    def written(self, lane: int, since_baseline: bool) -> int:
        """Events of a lane, or of its present owner."""
        block = self._block(lane)
        if block is None:
            return 0
        written = self.end(block)
        return max(0, written - self.segment.load(block, BASELINE)) if since_baseline else written

    def dropped(self) -> int:
        block = self._block(SHARED_LANE)
        assert block is not None, "the shared lane has all blocks"
        return self.segment.load(block, DROPPED)

    def totals(self, lanes: list[int]) -> Totals:
        capacity = self.ring.capacity
        ends = [self.end(block) for lane in lanes if (block := self._block(lane)) is not None]
        held = [min(end, capacity) for end in ends]
        return Totals(sum(ends), self.dropped(), sum(held), max(held, default=0), capacity * len(ends))

    def events(self, lane: int, start: int) -> tuple[list[Event], int]:
        """What is there after `start`, and where to go on: what is missing in between is lost."""
        block = self._block(lane)
        if block is None:
            return [], start
        end = self.end(block)
        if start > end:
            return [], start if start == end + 1 else end
        found: list[Event] = []
        for position in range(max(start, end - self.ring.capacity), end):
            at = self.ring.record(position)
            before = self.segment.load(block, at + SEQUENCE)
            acquire_fence()
            words = self.segment.copy(block, at, at + self.ring.words)
            acquire_fence()
            if before == self.segment.load(block, at + SEQUENCE) == 2 * position + 2:
                found.append(self._event(words))
        return found, end

    def _event(self, words: list[int]) -> Event:
        kind = self.schema.get(words[SHAPE] & 0xFFFF)
        values: dict[str, object] = {}
        truncated: list[str] = []
        for field in kind.fields if kind else []:
            word = words[field.word]
            if field.type == "text":
                length = min(word & 0xFFFFFFFF, field.most)
                content = bytes_of(words[field.word + 1:field.word + 1 + -(-length // 8)])[:length]
                values[field.name] = content.decode("utf-8", "replace")
                if word & TEXT_CUT:
                    truncated.append(field.name)
            elif field.type == "i64":
                values[field.name] = word - 2**64 if word >> 63 else word
            else:
                values[field.name] = {"u64": word, "f64": float_of(word), "bool": word != 0}[field.type]
        return Event(words[TIME], words[SHAPE] & 0xFFFF, words[WRITER], kind, values, truncated)


def merged(by_lane: list[list[Event]]) -> list[Event]:
    """By time; of one lane in the order in which they were written [10.21]."""
    keyed = []
    for events in by_lane:
        latest = 0
        for event in events:
            latest = max(latest, event.time)
            keyed.append((latest, event))
    return [event for _, event in sorted(keyed, key=lambda each: each[0])]
