"""Families and series: SPEC 7.3 (records), 7.4 (text), 12.2 (V-20 to V-30) and their limits of 19."""

from __future__ import annotations

import bisect
import math
import struct
from array import array
from collections import namedtuple
from dataclasses import dataclass

from .buckets import BlockShape, Classic, Exponential, SamplesShape, Scheme
from .events import Ring, Rings, schema_of
from .groups import MAX_NAMES_LENGTH, GroupShape, names_of
from .in_flight import MAX_LOG2_BUCKETS, InFlightShape
from .layout import (COUNTERS, HISTOGRAMS, MERGES, RESERVED, UNITS, Kind, Merge, Segment, acquire_fence, float_of,
                     fnv1a)
from .texts import MAX_TEXT_CAPACITY, TextShape

READY, CELL = 1, 12  # words of a record
READY_YES = 1
TYPE_FAMILY, TYPE_SERIES = 1, 2
FLAG_OVERFLOW = 1
MAX_BLOCK_LENGTH, MAX_RING_SLOTS, MAX_BOUNDS, MAX_SAMPLES = 8388608, 64, 256, 4096
MAX_NAME_LENGTH, MAX_HELP_LENGTH, MAX_UNIT_LENGTH = 255, 1024, 63
MAX_SCHEMA_LENGTH = 4096
MAX_STATUSES, MAX_STATUS_NAME_LENGTH = 64, 63
MAX_LABELS, MAX_LABEL_NAME_LENGTH, MAX_LABEL_VALUE_LENGTH, MAX_ENCODED_LENGTH = 32, 255, 1024, 8192


class Skipped(Exception):
    """A record is passed over by a rule of 12.2."""


class Record(namedtuple("Record", "shape hash text extra unit factor buckets length created checksum cell")):
    """A private copy of the words 0x10 to 0x60 [7.3]."""

    @property
    def type(self) -> int:
        return self.shape & 0xFF

    @property
    def has_right_checksum(self) -> bool:
        return self.checksum == fnv1a(self[:9])


@dataclass(frozen=True)
class Family:
    number: int
    kind: Kind
    merge: Merge
    name: str
    help: str
    unit: str


@dataclass(frozen=True)
class Status:
    """Of a state [7.4]."""

    name: str
    unhealthy_from: int  # -1: never


@dataclass(frozen=True, eq=False)
class Series:
    number: int
    family: Family
    encoded_labels: bytes
    labels: dict[str, str]
    overflow: bool
    factor: float
    created: int
    placement: int
    scheme: Scheme | None  # histograms only, as is the next
    shape: BlockShape | None
    samples: SamplesShape | None
    rings: Rings | None  # events only
    statuses: list[Status]  # states only
    table: InFlightShape | None  # what is in flight only
    text: TextShape | None  # texts only
    group: GroupShape | None  # groups only, as is the next
    fields: list[str]

    @property
    def age(self) -> tuple[int, int]:
        """Revisions are ordered by this [14]."""
        return self.created, self.number


class Catalog:
    """Every record is copied once, and the verdict is kept [12.2]."""

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self.header = segment.header
        self.verdicts: dict[int, Family | Series | None] = {}  # None: skipped
        self.skipped: dict[int, str] = {}
        self._labels_length = 0  # V-24
        self._cells: dict[str, list[tuple[int, int]]] = {}  # V-30: by space; start and end, ascending

    def reserved(self) -> int:
        return min(self.segment.load(RESERVED), self.header.records)

    def update(self) -> list[Series]:
        """Walks the records; judges those that became ready since. All valid series, ascending."""
        for number in range(1, self.reserved() + 1):
            if number not in self.verdicts and self.segment.load(self.segment.record(number), READY) == READY_YES:
                acquire_fence()
                self._judge(number, self._copy(number))
        return [verdict for _, verdict in sorted(self.verdicts.items()) if isinstance(verdict, Series)]

    def _copy(self, number: int) -> Record:
        return Record(*self.segment.copy(self.segment.record(number), READY + 1, CELL + 1))

    def _judge(self, number: int, record: Record) -> None:
        verdict: Family | Series | None = None
        try:
            kind = checked_kind(record)
            verdict = (self._series if record.type == TYPE_SERIES else self._family)(number, kind, record)
        except Skipped as reason:
            self.skipped[number] = str(reason)
        self.verdicts[number] = verdict

    def _family_named(self, number: int) -> Family | None:
        """If it is bad it is reported: also a series for what is wrong within it, but not for being named here."""
        if number not in self.verdicts:
            record = self._copy(number)
            if self._is_sound_series(record):
                return None  # judged when it is ready
            self._judge(number, record)
        verdict = self.verdicts[number]
        return verdict if isinstance(verdict, Family) else None

    def _is_sound_series(self, record: Record) -> bool:
        try:
            kind = checked_kind(record)
            if record.type == TYPE_SERIES:
                self._series_words(kind, record)
        except Skipped:
            return False
        return record.type == TYPE_SERIES

    def _family(self, number: int, kind: Kind, record: Record) -> Family:
        """V-23, V-24, V-29."""
        rule = record.shape >> 16 & 0xFF
        require(Merge.SUM <= rule <= Merge.EACH and rule in MERGES.get(kind, tuple(Merge)),
                f"V-23: merge rule {rule} is not known")
        ranges = (self._range(record.text, 1, MAX_NAME_LENGTH, "name"),
                  self._range(record.extra, 0, MAX_HELP_LENGTH, "help"),
                  self._range(record.unit, 0, MAX_UNIT_LENGTH, "unit"))
        return Family(number, kind, Merge(rule), *(decoded(self.segment.text(*each)) for each in ranges))

    def _series_words(self, kind: Kind, record: Record) -> tuple[tuple[int, int], Scheme | None,
                                                                 BlockShape | SamplesShape | InFlightShape | TextShape | GroupShape | None,
                                                                 tuple[Ring, tuple[int, int]] | None]:
        """V-24 to V-27, as far as they look at nothing but the record: range of the labels, buckets, block, ring of
        events with the range of its schema."""
        labels_range = self._range(record.text, 0, MAX_ENCODED_LENGTH, "labels")
        scheme = self._scheme(kind, record)
        events = self._ring(record) if kind == Kind.EVENTS else None
        if kind == Kind.STATE:
            self._range(record.extra, 1, MAX_STATUSES * (6 + MAX_STATUS_NAME_LENGTH), "statuses")
        if kind == Kind.GROUP:
            require(GroupShape.of_word(record.buckets) is not None, f"V-25: the group {record.buckets:#x}")
            self._range(record.extra, 1, MAX_NAMES_LENGTH, "fields")
        factor, ring_slots = float_of(record.factor), record.shape >> 32 & 0xFF
        require(math.isfinite(factor) and factor > 0.0, f"V-25: the factor is {factor!r}")
        require(ring_slots <= MAX_RING_SLOTS, f"V-25: {ring_slots} ring slots, at most {MAX_RING_SLOTS}")
        shape: BlockShape | SamplesShape | InFlightShape | TextShape | GroupShape | None = BlockShape(scheme.buckets, ring_slots) if scheme else None
        if kind == Kind.SAMPLES:
            shape = SamplesShape(record.buckets)
        if kind == Kind.IN_FLIGHT:
            shape = InFlightShape(record.buckets)
        if kind == Kind.TEXT:
            shape = TextShape(record.buckets)
        if kind == Kind.GROUP:
            shape = GroupShape.of_word(record.buckets)
        length = shape.length if shape else events[0].length if events else 0
        require(record.length == length <= min(MAX_BLOCK_LENGTH, self.header.blocks_length),
                f"V-26: the length is {record.length}, by the parameters {length}")
        require(1 <= record.unit <= self.header.records, f"V-27: record {record.unit} of {self.header.records}")
        return labels_range, scheme, shape, events

    def _series(self, number: int, kind: Kind, record: Record) -> Series:
        """V-24 to V-30, in the order of 12.2."""
        labels_range, scheme, shape, events = self._series_words(kind, record)
        start, end = record.cell - 1, record.cell - 1 + (record.length or UNITS.get(kind, 1))
        is_block = shape is not None or events is not None
        space = "blocks_length" if is_block else "counters" if kind in COUNTERS else "gauges"
        require(record.cell != 0 and end <= getattr(self.header, space) and (not is_block or start % 128 == 0),
                f"V-28: the cell word is {record.cell:#x}")
        family = self._family_named(record.unit)
        if family is None or family.kind != kind:
            raise Skipped(f"V-27: record {record.unit} is no valid family of kind {kind.name.lower()}")
        require(self._labels_length + labels_range[1] <= self.header.text_length,
                "V-24: the labels of all series exceed the text region")
        self._labels_length += labels_range[1]
        encoded = self.segment.text(*labels_range)
        labels = decoded_labels(encoded)
        require(not isinstance(scheme, Classic) or scheme.is_valid, "V-25: the bounds are not finite and increasing")
        rings = None
        if events is not None:
            schema = schema_of(decoded(self.segment.text(*events[1])), events[0])
            require(schema is not None, "V-29: the schema is none")
            rings = Rings(self.segment, events[0], schema or {}, start)
        statuses: list[Status] = []
        if kind == Kind.STATE:
            statuses = decoded_statuses(self.segment.text(record.extra >> 32, record.extra & 0xFFFFFFFF))
        group = shape if isinstance(shape, GroupShape) else None
        fields: list[str] = []
        if group is not None:
            names = names_of(decoded(self.segment.text(record.extra >> 32, record.extra & 0xFFFFFFFF)), group)
            require(names is not None, "V-29: the fields are none")
            fields = names or []
        self._take(space, start, end)
        overflow = bool(record.shape >> 24 & FLAG_OVERFLOW)
        factor = float_of(record.factor)
        block = shape if isinstance(shape, BlockShape) else None
        samples = shape if isinstance(shape, SamplesShape) else None
        table = shape if isinstance(shape, InFlightShape) else None
        text = shape if isinstance(shape, TextShape) else None
        return Series(number, family, encoded, labels, overflow, factor, record.created, start, scheme, block,
                      samples, rings, statuses, table, text, group, fields)

    def _ring(self, record: Record) -> tuple[Ring, tuple[int, int]]:
        """V-25, then V-24."""
        ring = Ring.of_word(record.buckets)
        require(ring is not None, f"V-25: the ring {record.buckets:#x} is outside the limits")
        assert ring is not None
        return ring, self._range(record.extra, 1, MAX_SCHEMA_LENGTH, "schema")

    def _scheme(self, kind: Kind, record: Record) -> Scheme | None:
        """V-24 and V-25, but for the values of bounds."""
        if kind == Kind.HISTOGRAM_CLASSIC:
            bounds = self._range(record.extra, 0, 8 * MAX_BOUNDS, "bounds")
            require(bounds[1] > 0 and bounds[1] % 8 == 0, f"V-25: the bounds have {bounds[1]} bytes")
            return Classic(array("d", self.segment.text(*bounds)))
        if kind == Kind.IN_FLIGHT:
            require(record.buckets <= MAX_LOG2_BUCKETS, f"V-25: 2^{record.buckets} buckets")
        if kind == Kind.TEXT:
            require(1 <= record.buckets <= MAX_TEXT_CAPACITY, f"V-25: texts of {record.buckets} bytes")
        if kind == Kind.SAMPLES:
            require(1 <= record.buckets <= MAX_SAMPLES, f"V-25: {record.buckets} samples, at most {MAX_SAMPLES}")
        if kind not in HISTOGRAMS:
            return None
        scale, low, high, rest = struct.unpack("<HhhH", record.buckets.to_bytes(8, "little"))
        scheme = Exponential(scale, low, high)
        require(rest == 0 and scheme.is_valid, f"V-25: bucket parameters {record.buckets:#x}")
        return scheme

    def _range(self, word: int, least: int, greatest: int, what: str) -> tuple[int, int]:
        """Offset and length of a text."""
        offset, length = word >> 32, word & 0xFFFFFFFF
        require(offset % 8 == 0 and offset + length <= self.header.text_length and least <= length <= greatest,
                f"V-24: {what} of {length} bytes at {offset:#x} of the text; {least} to {greatest} bytes are allowed")
        return offset, length

    def _take(self, space: str, start: int, end: int) -> None:
        cells = self._cells.setdefault(space, [])
        at = bisect.bisect_left(cells, (start, 0))
        is_free = (at == 0 or cells[at - 1][1] <= start) and (at == len(cells) or cells[at][0] >= end)
        require(is_free, f"V-30: the cell at {start:#x} of the {space} overlaps another")
        cells.insert(at, (start, end))


def require(holds: bool, reason: str) -> None:
    if not holds:
        raise Skipped(reason)


def checked_kind(record: Record) -> Kind:
    """V-20 to V-22, which families and series share."""
    kind = record.shape >> 8 & 0xFF
    require(record.has_right_checksum, "V-20: the record's checksum does not match its content; it is damaged")
    require(record.type in (TYPE_FAMILY, TYPE_SERIES), f"V-21: type {record.type} is not known")
    require(kind in set(Kind), f"V-22: kind {kind} is not known")
    return Kind(kind)


def decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise Skipped(f"V-29: {content[:40]!r} is not UTF-8") from None


def decoded_labels(encoded: bytes) -> dict[str, str]:
    """Labels in canonical form [7.4]; anything else is V-29."""
    labels: dict[str, str] = {}
    previous, at = b"", 0
    while at < len(encoded):
        require(len(encoded) - at >= 4 and len(labels) < MAX_LABELS, "V-29: cut short, or too many labels")
        name_length, value_length = struct.unpack_from("<HH", encoded, at)
        name_at, value_at, at = at + 4, at + 4 + name_length, at + 4 + name_length + value_length
        require(1 <= name_length <= MAX_LABEL_NAME_LENGTH and value_length <= MAX_LABEL_VALUE_LENGTH
                and at <= len(encoded), f"V-29: a label has lengths {name_length} and {value_length}")
        name = encoded[name_at:value_at]
        require(name > previous, "V-29: the label names do not ascend")
        previous = name
        labels[decoded(name)] = decoded(encoded[value_at:at])
    return labels


def decoded_statuses(encoded: bytes) -> list[Status]:
    """Statuses of a state [7.4]; anything else is V-25."""
    statuses: list[Status] = []
    at = 0
    while at < len(encoded):
        require(len(encoded) - at >= 6 and len(statuses) < MAX_STATUSES, "V-25: cut short, or too many statuses")
        unhealthy_from, length = struct.unpack_from("<iH", encoded, at)
        name_at, at = at + 6, at + 6 + length
        require(1 <= length <= MAX_STATUS_NAME_LENGTH and at <= len(encoded) and unhealthy_from >= -1,
                f"V-25: a status has length {length} and threshold {unhealthy_from}")
        try:
            name = encoded[name_at:at].decode("utf-8")
        except UnicodeDecodeError:
            raise Skipped("V-25: the name of a status is not UTF-8") from None
        require(all(status.name != name for status in statuses), "V-25: a status is there twice")
        statuses.append(Status(name, unhealthy_from))
    return statuses
