"""What is in flight: SPEC 9.14, 10.23."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from .layout import WORD_MASK, Segment, acquire_fence, bytes_of
from .processes import Process

OVERFLOW, FORGOTTEN = range(2)  # words of line 0
ENTRIES, LINE_WORDS = 8, 16
MAX_LOG2_BUCKETS = 12
STARTING = 1 << 8
KEY_TEXT_LENGTH, KEY_TEXT_CUT = 120, 1 << 8
LOOKS = 4  # at an entry that changes meanwhile [D-3]


@dataclass(frozen=True)
class InFlightShape:
    log2_buckets: int
    ring_slots = 0

    @property
    def buckets(self) -> int:
        return 1 << self.log2_buckets

    @property
    def length(self) -> int:
        return 128 * (1 + 9 * self.buckets | 1)

    def claims(self, bucket: int) -> int:
        """The word of the first claim of a bucket; its starts are eight words on."""
        return LINE_WORDS * (1 + 9 * bucket)


@dataclass(frozen=True)
class Entry:
    claim: int
    started_us: int | None
    key: tuple[str, bool] | None  # and whether it is cut


@dataclass
class Work:
    """A key that is being worked on."""

    process: Process
    runs: int
    age_us: int | None
    key: tuple[str, bool] | None


@dataclass
class InFlight:
    capacity: int = 0
    parked: int = 0
    overflow: int = 0
    forgotten: int = 0
    works: list[Work] = field(default_factory=list)  # oldest first, those of unknown age last

    @property
    def ages(self) -> list[int]:
        return [work.age_us for work in self.works if work.age_us is not None]

    @property
    def says_nothing(self) -> bool:
        return not self.works and self.parked == self.overflow == self.forgotten == 0


def is_parked(claim: int) -> bool:
    return claim >> 9 & 0x7FFFFFFF == 0


def is_its(process: Process, claim: int) -> bool:
    """Does the claim name this incarnation, and is it alive?"""
    same = claim >> 9 & 0x1FFF == process.slot + 1 and claim >> 22 & 0x3FFFF == process.incarnation & 0x3FFFF
    return same and process.is_live


def key_hash(key: bytes) -> int:
    h = len(key)
    for at in range(0, len(key), 8):
        h = step(h, int.from_bytes(key[at:at + 8], "little"))
    return step(h, 0)


def step(h: int, word: int) -> int:
    product = (h ^ word) * 0x9E3779B97F4A7C15 & WORD_MASK
    return product ^ product >> 32


def started(claim: int, start: int) -> int | None:
    check = (claim & ~STARTING) * 0x9E3779B97F4A7C15 >> 48 & 0xFFFF
    return None if claim & STARTING or start & 0xFFFF != check else start >> 16


def stored_key(claim: int, words: list[int]) -> tuple[str, bool] | None:
    length = words[0] & 0xFF
    if claim & STARTING or length > KEY_TEXT_LENGTH:
        return None
    text = bytes_of(words[1:])[:length]
    if words[0] >> 32 != key_hash(text) >> 32 ^ claim >> 40:
        return None
    try:
        return text.decode("utf-8"), words[0] & KEY_TEXT_CUT != 0
    except UnicodeDecodeError:
        return None


def read_entry(segment: Segment, table: int, shape: InFlightShape, bucket: int, entry: int) -> Entry | None:
    """None: it is free."""
    place, text = shape.claims(bucket) + entry, shape.claims(bucket) + LINE_WORDS * (1 + entry)
    claim = segment.load(table, place)
    for _ in range(LOOKS):
        if claim == 0:
            return None
        acquire_fence()
        start, words = segment.load(table, place + ENTRIES), segment.copy(table, text, text + LINE_WORDS)
        acquire_fence()
        now = segment.load(table, place)
        if now == claim:
            return Entry(claim, started(claim, start), stored_key(claim, words))
        claim = now
    return Entry(claim, None, None) if claim else None


def entries(segment: Segment, table: int, shape: InFlightShape, counts: Callable[[int], bool]) -> Iterator[Entry]:
    """Parked entries, and those that count, of which one per key."""
    for bucket in range(shape.buckets):
        tags = set()
        for number in range(ENTRIES):
            entry = read_entry(segment, table, shape, bucket, number)
            if entry is None:
                continue
            if is_parked(entry.claim):
                yield entry
            elif counts(entry.claim) and entry.claim >> 40 not in tags:
                tags.add(entry.claim >> 40)
                yield entry


def read(segment: Segment, tables: list[tuple[int, InFlightShape]], processes: list[Process], now_us: int) -> InFlight:
    """All tables of a series."""
    found = InFlight()

    def owner(claim: int) -> Process | None:
        return next((process for process in processes if is_its(process, claim)), None)

    for table, shape in tables:
        found.capacity += ENTRIES * shape.buckets
        found.overflow = found.overflow + segment.load(table, OVERFLOW) & WORD_MASK
        found.forgotten = found.forgotten + segment.load(table, FORGOTTEN) & WORD_MASK
        for entry in entries(segment, table, shape, lambda claim: owner(claim) is not None):
            process = owner(entry.claim)
            if process is None:
                found.parked += 1
                continue
            age = None if entry.started_us is None else max(0, now_us - entry.started_us)
            found.works.append(Work(process, entry.claim & 0xFF, age, entry.key))
    found.works.sort(key=lambda work: -1 if work.age_us is None else work.age_us, reverse=True)
    return found


def of_process(segment: Segment, tables: list[tuple[int, InFlightShape]], process: Process) -> int:
    """How many keys a process works on."""
    return sum(not is_parked(entry.claim) for table, shape in tables
               for entry in entries(segment, table, shape, lambda claim: is_its(process, claim)))
