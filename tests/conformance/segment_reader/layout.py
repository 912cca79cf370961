"""Where everything is in a segment, and single loads from it.

SPEC 2 (words), 6 (header), 7.3, 8 and 9 (offsets and codes), 10.3 (opening), 10.4 (asking), 12.1 (validation of the
header), 19 (limits).

Memory model [2, A-2, D-2]: every shared word is loaded once, as one item of a memoryview that is cast to 'Q'; CPython
makes that one aligned 8-byte load. x86-64 does not reorder loads with loads, and the interpreter makes them in program
order, so an acquire fence needs no instruction. `acquire_fence()` marks where the fences of the protocols stand. Other
machines reorder loads: there this reader is right only about segments that nobody writes (`HAS_ORDERED_LOADS`).
"""

from __future__ import annotations

import fcntl
import mmap
import os
import platform
import stat
import struct
from collections import namedtuple
from collections.abc import Iterable
from enum import IntEnum

WORD_MASK = 2**64 - 1
HAS_ORDERED_LOADS = platform.machine() == "x86_64"  # so that `acquire_fence` may do nothing

# 6.1 Immutable part of the header: its words in their order
MAGIC = 0x0A0D74656D68738F
VERSION = 2
HEADER_LENGTH, IMMUTABLE_LENGTH = 4096, 512

Header = namedtuple("Header", """
    magic version compatible_from header_length required_features optional_features file_length process_slots lanes
    series records index_entries text_length counters gauges blocks_length budget epoch_length_ns index_region
    records_region text_region process_directory_region lane_directory_region slots_region slot_stride
    shared_counters_region shared_blocks_region lanes_region lane_stride lane_counters lane_baseline lane_blocks
    boot_id_high boot_id_low created_ns created_monotonic_ns segment_id writer_features errors errors_region
    reset_tables resets_region reset_stride""")
RESERVED_WORD = {1: 38, 2: 43}  # by version: the first of the reserved words before the checksum

# 6.2 Mutable words: offsets in bytes
RESERVED, TEXT_USED, COUNTER_PLACEMENT, GAUGE_PLACEMENT, BLOCK_PLACEMENT, COMMITTED = range(0x400, 0x700, 0x80)
NEXT_ID, RETIRED = 0x780, 0x880
LOSSES = {  # by name in the JSON [15]
    "lanes_exhausted": 0x900, "slots_exhausted": 0x980, "storage_refused": 0xA00, "budget_refused": 0xA80,
    "gauge_writes_dropped": 0xB00, "label_sets_refused": 0xB80, "label_sets_overflowed": 0xC00, "anomalies": 0xC80,
    "registrations_refused": 0xD00, "errors_lost": 0xD80,
}
ADOPTIONS = 0xE00
RESET = 0xE80
SINCE_VERSION_2 = 0xD00  # words from here on are reserved in version 1

# 8 Kinds and merge rules
Kind = IntEnum("Kind", {
    "COUNTER_U64": 1, "COUNTER_F64": 2, "GAUGE_I64": 3, "GAUGE_F64": 4, "HISTOGRAM_INTEGER": 5, "HISTOGRAM_FLOAT": 6,
    "HISTOGRAM_CLASSIC": 7, "NUMBER": 8, "TIME_MARK": 9, "STATE": 10, "SAMPLES": 11, "EVENTS": 12, "TEXT": 13,
    "GROUP": 14, "IN_FLIGHT": 15,
})
COUNTERS = (Kind.COUNTER_U64, Kind.COUNTER_F64, Kind.NUMBER)
HISTOGRAMS = (Kind.HISTOGRAM_INTEGER, Kind.HISTOGRAM_FLOAT, Kind.HISTOGRAM_CLASSIC)
UNITS = {Kind.NUMBER: 2}  # of the cells of counters and gauges; all others have 1
GAUGES = (Kind.GAUGE_I64, Kind.GAUGE_F64, Kind.TIME_MARK, Kind.STATE)  # what has a cell per process slot
Merge = IntEnum("Merge", "SUM MIN MAX MEAN LAST EACH")
KEPT_AFTER_DEATH = (Merge.MIN, Merge.MAX, Merge.LAST)
MERGES = {Kind.TIME_MARK: (Merge.MIN, Merge.MAX), Kind.STATE: (Merge.EACH,)}  # of kinds that have not all

# 7.3, 9 Lengths in bytes; the words of a lane entry
SHARED_LANE = 0
RECORD_LENGTH = LANE_ENTRY_LENGTH = GAUGE_CELL_LENGTH = SHARED_COUNTER_LENGTH = 128
PROCESS_ENTRY_LENGTH = 384
ERROR_ENTRY_LENGTH = 256
BLOCK_GRANULE_LENGTH = 512
(LANE_OWNER, LANE_INCARNATION, LANE_COMMITTED, LANE_BASELINE_WORD, LANE_BASELINE_COUNTERS,
 LANE_BASELINE_OWNER) = range(6)

# 19 Limits, and capacities in the order of V-8
MAX_FILE_LENGTH = 2**42
LOCK_BASE_OFFSET = 2**60
CAPACITIES = {
    "process_slots": (1, 4096), "lanes": (1, 16384), "series": (1, 524288), "text_length": (1024, 2**30),
    "counters": (1, 2**20), "gauges": (1, 2**20), "blocks_length": (4096, 2**31), "errors": (0, 1024),
    "reset_tables": (0, 2),
    "epoch_length_ns": (10**6, 86400 * 10**9), "budget": (0, 2**42),
}


class Refused(Exception):
    """The segment is refused by a rule of 12.1."""


def acquire_fence() -> None:
    """Stands where the protocols have an acquire fence; see the head of the file."""


def up(value: int, to: int) -> int:
    return -(-value // to) * to


def float_of(word: int) -> float:
    """The float whose bits the word holds [2]."""
    return struct.unpack("=d", struct.pack("=Q", word))[0]


def bytes_of(words: list[int]) -> bytes:
    """The bytes of words in the order in which they stand in the file [7.4]."""
    return struct.pack(f"={len(words)}Q", *words)


def fnv1a(words: Iterable[int]) -> int:
    """FNV-1a of words, each as 8 bytes, lowest first, on every machine [6.4]."""
    hashed = 0xCBF29CE484222325
    for word in words:
        for byte in word.to_bytes(8, "little"):
            hashed = (hashed ^ byte) * 0x100000001B3 & WORD_MASK
    return hashed


def fnv1a_of_bytes(text: bytes) -> int:
    """FNV-1a of bytes [6.4]."""
    hashed = 0xCBF29CE484222325
    for byte in text:
        hashed = (hashed ^ byte) * 0x100000001B3 & WORD_MASK
    return hashed


def reset_counters(header: Header) -> int:
    """From the start of a reset table to its counters [6.3]."""
    return up(8 * 2 * header.series, 4096)


def reset_blocks(header: Header) -> int:
    """From the start of a reset table to its blocks [6.3]."""
    return up(reset_counters(header) + 8 * header.counters, 4096)


def derived_words(header: Header) -> dict[str, int]:
    """Region arithmetic [6.3]: what every derived word must be, in the order of V-9."""
    records = 2 * header.series
    index_entries = 1 << (2 * records - 1).bit_length()
    index_region = HEADER_LENGTH
    records_region = up(index_region + 8 * index_entries, 128)
    text_region = records_region + RECORD_LENGTH * records
    process_directory_region = up(text_region + header.text_length, 128)
    lane_directory_region = process_directory_region + PROCESS_ENTRY_LENGTH * header.process_slots
    errors_region = lane_directory_region + LANE_ENTRY_LENGTH * header.lanes
    slots_region = up(errors_region + ERROR_ENTRY_LENGTH * header.errors, 65536)
    slot_stride = up(GAUGE_CELL_LENGTH * header.gauges, 65536)
    shared_counters_region = slots_region + header.process_slots * slot_stride
    shared_blocks_region = up(shared_counters_region + SHARED_COUNTER_LENGTH * header.counters, 65536)
    lanes_region = up(shared_blocks_region + header.blocks_length, 65536)
    granules = -(-header.blocks_length // BLOCK_GRANULE_LENGTH)
    lane_counters = 8 * up(-(-granules // 64), 16)
    lane_baseline = up(lane_counters + 8 * header.counters, 4096)
    lane_blocks = up(lane_baseline + 8 * header.counters, 4096)
    lane_stride = up(lane_blocks + header.blocks_length, 65536)
    resets_region = lanes_region + header.lanes * lane_stride
    reset_stride = up(reset_blocks(header) + header.blocks_length, 65536)
    of_version_2 = {"errors_region": errors_region, "resets_region": resets_region, "reset_stride": reset_stride}
    return {
        "records": records, "index_entries": index_entries, "index_region": index_region,
        "records_region": records_region, "text_region": text_region,
        "process_directory_region": process_directory_region, "lane_directory_region": lane_directory_region,
        "slots_region": slots_region, "slot_stride": slot_stride, "shared_counters_region": shared_counters_region,
        "shared_blocks_region": shared_blocks_region, "lanes_region": lanes_region, "lane_stride": lane_stride,
        "lane_counters": lane_counters, "lane_baseline": lane_baseline, "lane_blocks": lane_blocks,
        **(of_version_2 if header.version >= 2 else {}),
        "header_length": HEADER_LENGTH, "file_length": resets_region + header.reset_tables * reset_stride,
    }


def require(holds: bool, refusal: str) -> None:
    if not holds:
        raise Refused(refusal)


def validated_header(words: tuple[int, ...], size: int) -> Header:
    """V-2 to V-11, on the private copy of the first 64 words."""
    header = Header(*words[:len(Header._fields)])
    if header.version < 2:
        header = header._replace(errors=0, errors_region=0, reset_tables=0)  # reserved there: V-11 looks at the words
    swapped = int.from_bytes(MAGIC.to_bytes(8, "little"), "big")
    require(header.magic != 0, "V-2 NotPublished: the magic word is 0")
    require(header.magic != swapped, "V-3 OtherEndianness: written on a machine of the other byte order")
    require(header.magic == MAGIC, f"V-4 BadMagic: found {header.magic:#018x}, expected {MAGIC:#018x}")
    require(header.version != 0 and header.compatible_from <= min(VERSION, header.version),
            f"V-5 OtherVersion: {header.version}, compatible from {header.compatible_from}; known is {VERSION}")
    require(words[63] == fnv1a(words[:63]), f"V-6 BadChecksum: {words[63]:#018x}, expected {fnv1a(words[:63]):#018x}")
    require(header.required_features == 0, f"V-7 UnknownFeatures: {header.required_features:#x}, none are known")
    for name, (least, greatest) in CAPACITIES.items():
        require(least <= getattr(header, name) <= greatest,
                f"V-8 CapacityOutOfRange: {name} is {getattr(header, name)}, not {least} to {greatest}")
    require(header.reset_tables != 1, "V-8 CapacityOutOfRange: reset_tables is 1, not 0 or 2")
    derived = derived_words(header)
    require(HEADER_LENGTH <= derived["file_length"] <= MAX_FILE_LENGTH,
            f"V-8 CapacityOutOfRange: file_length would be {derived['file_length']}, at most {MAX_FILE_LENGTH}")
    for name, expected in derived.items():
        require(getattr(header, name) == expected,
                f"V-9 InconsistentOffset: {name} is {getattr(header, name)}, expected {expected}")
    require(size >= header.file_length, f"V-10 Truncated: the file has {size} bytes, expected {header.file_length}")
    require(header.version > VERSION or not any(words[RESERVED_WORD[header.version]:63]),
            "V-11 ReservedNotZero: the reserved words of the header are not 0")
    return header


class Segment:
    """A segment, validated and mapped read-only. Addresses are bytes from its start [6.3]."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        status = os.fstat(self.descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError("not a regular file")
        copied = os.pread(self.descriptor, IMMUTABLE_LENGTH, 0)  # not through a mapping [10.3]
        require(status.st_size >= HEADER_LENGTH and len(copied) == IMMUTABLE_LENGTH,
                f"V-1 TooShort: the file has {status.st_size} bytes, at least {HEADER_LENGTH} are needed")
        self.header = validated_header(struct.unpack("=64Q", copied), status.st_size)
        mapping = mmap.mmap(self.descriptor, self.header.file_length, access=mmap.ACCESS_READ)
        self.words: memoryview = memoryview(mapping).cast("Q")

    def check_length(self) -> None:
        """D-8."""
        size = os.fstat(self.descriptor).st_size
        require(size >= self.header.file_length,
                f"V-10 Truncated: the file shrank to {size} bytes, expected {self.header.file_length}")

    def load(self, address: int, word: int = 0) -> int:
        """One relaxed load."""
        return self.words[(address >> 3) + word]

    def copy(self, address: int, first: int, end: int) -> list[int]:
        """Relaxed loads of the words from `first` to before `end`, each once [D-1]."""
        words, base = self.words, address >> 3
        return [words[at] for at in range(base + first, base + end)]

    def text(self, offset: int, length: int) -> bytes:
        """Bytes of the text region [7.4]; the range is validated."""
        return bytes_of(self.copy(self.header.text_region + offset, 0, -(-length // 8)))[:length]

    def record(self, number: int) -> int:
        return self.header.records_region + RECORD_LENGTH * (number - 1)

    def process_entry(self, slot: int) -> int:
        return self.header.process_directory_region + PROCESS_ENTRY_LENGTH * slot

    def lane_entry(self, lane: int) -> int:
        return self.header.lane_directory_region + LANE_ENTRY_LENGTH * (lane - 1)

    def error_entry(self, entry: int) -> int:
        return self.header.errors_region + ERROR_ENTRY_LENGTH * entry

    def reset_table(self, table: int) -> int:
        return self.header.resets_region + table * self.header.reset_stride

    def reset_counter(self, table: int, placement: int) -> int:
        return self.reset_table(table) + reset_counters(self.header) + 8 * placement

    def reset_block(self, table: int, placement: int) -> int:
        return self.reset_table(table) + reset_blocks(self.header) + placement

    def counted(self, offset: int) -> int:
        """A mutable word of the header; what version 1 does not have reads as 0 [6.2]."""
        return self.load(offset) if offset < SINCE_VERSION_2 or self.header.version >= 2 else 0

    def gauge_cell(self, slot: int, placement: int) -> int:
        return self.header.slots_region + slot * self.header.slot_stride + GAUGE_CELL_LENGTH * placement

    def lane_start(self, lane: int) -> int:
        return self.header.lanes_region + (lane - 1) * self.header.lane_stride

    def counter(self, lane: int, placement: int) -> int:
        if lane == SHARED_LANE:
            return self.header.shared_counters_region + SHARED_COUNTER_LENGTH * placement
        return self.lane_start(lane) + self.header.lane_counters + 8 * placement

    def counter_baseline(self, lane: int, placement: int) -> int:
        return self.lane_start(lane) + self.header.lane_baseline + 8 * placement

    def block(self, lane: int, placement: int) -> int | None:
        """None: a lane's block that is not committed [9.6, D-5]."""
        if lane == SHARED_LANE:
            return self.header.shared_blocks_region + placement
        granule = placement // BLOCK_GRANULE_LENGTH
        bits = self.load(self.lane_start(lane), granule // 64)
        acquire_fence()
        return self.lane_start(lane) + self.header.lane_blocks + placement if bits >> granule % 64 & 1 else None

    def lock_is_free(self, slot: int) -> bool:
        """Asks for the lock byte of a slot [10.4]; who cannot ask declares nobody dead."""
        ofd_getlk = 36  # the module fcntl of Python 3.11 has no name for it
        query = struct.pack("hhqqi4x", fcntl.F_RDLCK, os.SEEK_SET, LOCK_BASE_OFFSET + slot, 1, 0)
        try:
            answer = fcntl.fcntl(self.descriptor, ofd_getlk, query)
        except OSError:
            return False
        return struct.unpack_from("h", answer)[0] == fcntl.F_UNLCK
