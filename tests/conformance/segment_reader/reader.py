"""Snapshots of one segment: SPEC 8.2, 10.8 and 10.9 (gauges and counters), 14 (merging, cuts, the view per process)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from .blocks import BASELINE_COUNT, BASELINE_SUM, Block, State
from .buckets import Scheme, common_scheme
from .events import Event, Totals, merged
from .groups import BASELINE as GROUP_BASELINE
from .groups import FIELDS, Fields, KeptGroup, added_up
from .in_flight import InFlight, InFlightShape, of_process, read
from .layout import (
    COUNTERS, GAUGES, HISTOGRAMS, KEPT_AFTER_DEATH, LANE_BASELINE_COUNTERS, LANE_BASELINE_OWNER, LANE_BASELINE_WORD, LANE_COMMITTED,
    LANE_INCARNATION, LANE_OWNER, SHARED_LANE, WORD_MASK, Kind, Merge, Segment, acquire_fence, float_of,
)
from .merging import Histogram, Number, Windows, add_to_windows, compensated, gained, without_nan
from .processes import COMMITTED, OWNER, Process, read_process
from .records import Catalog, Family, Series
from .resets import Resets
from .samples import BASELINE, INVALID, Sample, Samples, read_lane, read_shared
from .sequence import Kept
from .texts import Text
from .texts import read as read_text

GAUGE_VALUE, GAUGE_STAMP = range(2)  # words of a gauge cell


@dataclass(frozen=True)
class Group:
    """One output series: records with the same family and the same labels, which are revisions of each other."""

    members: list[Series]  # ascending

    @property
    def by_age(self) -> list[Series]:
        """Oldest first: the order in which they are added."""
        return sorted(self.members, key=lambda series: series.age)

    @property
    def family(self) -> Family:
        return self.members[0].family

    @property
    def shown(self) -> list[Series]:
        """Of classic revisions only the newest, of texts the oldest."""
        if self.family.kind == Kind.TEXT:
            return self.by_age[:1]
        return self.by_age[-1:] if self.family.kind == Kind.HISTOGRAM_CLASSIC else self.by_age

    @property
    def scheme(self) -> Scheme:
        return common_scheme([series.scheme for series in self.shown if series.scheme is not None])


@dataclass(frozen=True)
class State:
    """What a live process says of itself [9.4]."""

    process: Process
    status: str
    streak: int
    healthy: bool


@dataclass(frozen=True)
class Reading:
    """What one snapshot saw of a group."""

    value: Number | None = None
    each: list[tuple[Process, Number]] = field(default_factory=list)
    states: list[State] = field(default_factory=list)
    histogram: Histogram | None = None
    samples: Samples | None = None
    windows: Windows = field(default_factory=list)
    events: Totals | None = None
    in_flight: InFlight | None = None
    text: Text | None = None
    fields: Fields | None = None

    def says_nothing(self, kind: Kind) -> bool:
        """Overflow series are hidden then."""
        if self.events is not None:
            return self.events == Totals()
        if self.samples is not None:
            return self.samples.count == self.samples.invalid == 0
        if self.histogram is not None:
            return self.histogram.count == self.histogram.invalid == self.histogram.error == 0
        if self.in_flight is not None:
            return self.in_flight.says_nothing
        if self.text is not None:
            return self.text.says_nothing
        if self.fields is not None:
            return self.fields.says_nothing
        return self.value is None and not self.each and not self.states if kind in GAUGES else self.value == 0


@dataclass(frozen=True)
class Counted:
    """What one process counted of a group."""

    value: Number  # of histograms the sum
    count: int | None = None  # histograms only
    state: State | None = None  # states only
    samples: Samples | None = None
    fields: Fields | None = None


@dataclass(frozen=True)
class Snapshot:
    """The directories as they were when a snapshot began, and the groups to read."""

    wall_ns: int
    monotonic_ns: int
    epoch: int  # the last that is closed
    processes: list[Process]  # slots that were ever taken, or have committed cells
    owners: dict[int, int]  # lanes whose owner word is not 0, ascending: the word
    lanes: dict[int, int]  # those of them that are committed, so may be touched [D-5]
    groups: list[Group]  # by lowest record number


class Reader:
    """Takes snapshots of one segment: a sequence of live snapshots, or of cuts."""

    def __init__(self, segment: Segment, cut: bool, for_windows: bool = False) -> None:
        self.segment = segment
        self.cut = cut
        self.for_windows = for_windows  # histograms as they were counted: windows are not reset [15.2]
        self.catalog = Catalog(segment)
        self.resets = Resets(segment)
        self._processes: dict[int, Process] = {}
        self._kept: dict[tuple[int, int], Kept] = {}  # by record and lane
        self._kept_groups: dict[tuple[int, int], KeptGroup] = {}  # the same
        self._shown_floats: dict[tuple[int, bytes], float] = {}  # float counters, by family and labels
        self._float_numbers: set[tuple[int, bytes]] = set()  # numbers to which a float was added, as last read

    def snapshot(self, wall_ns: int, monotonic_ns: int) -> Snapshot:
        segment, header = self.segment, self.segment.header
        segment.check_length()
        used = [slot for slot in range(header.process_slots)
                if any(segment.copy(segment.process_entry(slot), OWNER, COMMITTED + 1))]
        self._processes = {slot: read_process(segment, slot, self._processes.get(slot)) for slot in used}
        lanes = {lane: segment.load(segment.lane_entry(lane), LANE_OWNER) for lane in range(1, header.lanes + 1)}
        owners = {lane: owner for lane, owner in lanes.items() if owner}
        committed = {lane: owner for lane, owner in owners.items()
                     if segment.load(segment.lane_entry(lane), LANE_COMMITTED)}
        acquire_fence()
        groups: dict[tuple[int, bytes], list[Series]] = {}
        for series in self.resets.update(self.catalog.update):
            groups.setdefault((series.family.number, series.encoded_labels), []).append(series)
        epoch = max(0, monotonic_ns // header.epoch_length_ns - 1)
        return Snapshot(wall_ns, monotonic_ns, epoch, list(self._processes.values()), owners, committed,
                        [Group(members) for members in groups.values()])

    def read(self, snapshot: Snapshot, group: Group) -> Reading:
        self.segment.check_length()
        if group.family.kind == Kind.NUMBER:
            return self._number(snapshot, group)
        if group.family.kind == Kind.SAMPLES:
            return Reading(samples=self._samples(snapshot, group))
        if group.family.kind == Kind.GROUP:
            return Reading(fields=self._fields(snapshot, group))
        if group.family.kind in COUNTERS:
            return self._counter(snapshot, group)
        if group.family.kind == Kind.EVENTS:
            return self._events(snapshot, group)
        if group.family.kind == Kind.TEXT:
            series = group.shown[0]
            assert series.text is not None
            block = self.segment.header.shared_blocks_region + series.placement
            return Reading(text=read_text(self.segment, block, series.text))
        if group.family.kind == Kind.IN_FLIGHT:
            now_us = snapshot.monotonic_ns // 1000
            return Reading(in_flight=read(self.segment, self._tables(group), snapshot.processes, now_us))
        return self._gauge(snapshot, group) if group.family.kind in GAUGES else self._histogram(snapshot, group)

    def _counter(self, snapshot: Snapshot, group: Group) -> Reading:
        """The shared lane first, then lanes ascending, in each the records oldest first."""
        words = (self.segment.load(self.segment.counter(lane, series.placement))
                 for lane in (SHARED_LANE, *snapshot.lanes) for series in group.by_age)
        if group.family.kind == Kind.COUNTER_U64:
            return Reading(max(0, (sum(words) & WORD_MASK) - (sum(self._baselines(group)) & WORD_MASK)))
        value = compensated(map(float_of, words))
        # Lanes only grow, but the rounding of the sum may differ from one snapshot to the next. Never below 0. NaN is
        # above nothing, so it leaves what was shown.
        key = group.family.number, group.members[0].encoded_labels
        shown = self._shown_floats.get(key, 0.0)
        self._shown_floats[key] = value if value > shown else shown
        since = self._shown_floats[key] - compensated(map(float_of, self._baselines(group)))
        return Reading(since if since > 0.0 else 0.0)

    def _number(self, snapshot: Snapshot, group: Group) -> Reading:
        """Whole part and float part [14]."""
        places = [(lane, series.placement) for lane in (SHARED_LANE, *snapshot.lanes) for series in group.by_age]
        whole = sum(self.segment.load(self.segment.counter(lane, at)) for lane, at in places)
        floats = [self.segment.load(self.segment.counter(lane, at + 1)) for lane, at in places]
        whole = (whole - sum(self._baselines(group))) & WORD_MASK
        signed = whole - 2**64 if whole >> 63 else whole
        key = group.family.number, group.members[0].encoded_labels
        self._float_numbers.discard(key)
        if not any(floats):
            return Reading(signed)
        self._float_numbers.add(key)
        table = self.resets.table.floats
        before = [table[series.number] for series in group.by_age if series.number in table]
        since = compensated(float_of(word) for word in floats if word) - compensated(map(float_of, before))
        return Reading(float(signed) + since)

    def _samples(self, snapshot: Snapshot, group: Group, lanes: dict[int, int] | None = None) -> Samples:
        """Of all lanes and the shared lane, or of these lanes, what came after their baselines."""
        found: list[Sample] = []
        count = invalid = overtaken = keep = 0
        for age, series in enumerate(group.by_age):
            assert series.samples is not None, "only samples are read so"
            shape = series.samples
            keep = shape.shown
            if lanes is None:
                address = self.segment.block(SHARED_LANE, series.placement)
                assert address is not None, "that of the shared lane is there"
                samples, ended = read_shared(self.segment, shape, address, age)
                found += samples
                count += ended
                invalid += self.segment.load(address, INVALID)
            for lane in snapshot.lanes if lanes is None else lanes:
                address = self.segment.block(lane, series.placement)
                if address is None:
                    continue
                samples, ended, torn = read_lane(self.segment, shape, address, lane, age)
                since = self.segment.load(address, BASELINE) if lanes and lanes[lane] else 0
                own = max(0, ended - since)
                found += [sample for sample in samples if sample.back < own]
                count, overtaken = count + own, overtaken + torn
                invalid += self.segment.load(address, INVALID)
        return Samples.of(found, count, keep, invalid, overtaken)

    def _fields(self, snapshot: Snapshot, group: Group) -> Fields:
        """Of all lanes and the shared lane, since the reset."""
        lanes = (SHARED_LANE, *snapshot.lanes)
        return added_up(self.segment, group.by_age, lanes, self._kept_groups, self.resets.table.histograms)

    def _fields_of(self, group: Group, lanes: dict[int, bool]) -> Fields:
        """What the owner of these lanes added, of what the snapshot shows; whether there is a baseline to subtract."""
        found = Fields()
        for lane, has_baseline in lanes.items():
            for series in group.by_age:
                address = self.segment.block(lane, series.placement)
                held = self._kept_groups.get((series.number, lane), KeptGroup()).held
                found.add(series.fields, [0] * (len(series.fields) + 1))
                if address is None or not held.fields:
                    continue
                words = [*range(FIELDS, FIELDS + len(series.fields)), GROUP_BASELINE]
                before = [self.segment.load(address, word) if has_baseline else 0 for word in words]
                if held.updates >= before[-1]:
                    since = [now - then & WORD_MASK for now, then in zip((*held.fields, held.updates), before)]
                    found.add(series.fields, since)
        return found

    def _baselines(self, group: Group) -> list[int]:
        """Of the counters of a group that were reset [14]."""
        counters = self.resets.table.counters
        return [counters[series.number] for series in group.by_age if series.number in counters]

    # --- Gauges -----------------------------------------------------------------------------------------------------

    def _gauge_cell(self, process: Process, series: Series, kept: bool) -> tuple[int, Number] | None:
        """Stamp and value of a cell, if it counts [10.8]; kept ones count whoever left them."""
        if not process.committed or not (kept or process.is_live):
            return None
        cell = self.segment.gauge_cell(process.slot, series.placement)
        stamp = self.segment.load(cell, GAUGE_STAMP)
        acquire_fence()
        word = self.segment.load(cell, GAUGE_VALUE)
        acquire_fence()
        owner = self.segment.load(self.segment.process_entry(process.slot), OWNER)
        if stamp == 0 or not (kept or owner == process.owner):
            return None
        if series.family.kind == Kind.GAUGE_F64:
            return stamp, float_of(word)
        if series.family.kind in (Kind.TIME_MARK, Kind.STATE):
            return stamp, word
        return stamp, word - 2**64 if word >> 63 else word

    def _gauge(self, snapshot: Snapshot, group: Group) -> Reading:
        merge = group.family.merge
        cells = [(process, *cell) for series in group.by_age for process in snapshot.processes
                 if (cell := self._gauge_cell(process, series, merge in KEPT_AFTER_DEATH)) is not None]
        if group.family.kind == Kind.STATE:
            return Reading(states=[state for series in group.by_age for process in snapshot.processes
                                   if (state := self._state(process, series)) is not None])
        if group.family.kind == Kind.TIME_MARK:
            times = [time for series in group.by_age for process in snapshot.processes
                     if (time := self._time(process, series, merge)) is not None]
            return Reading((min if merge == Merge.MIN else max)(times, default=None))
        values = [value for _, _, value in cells]
        if merge == Merge.EACH:
            return Reading(each=[(process, value) for process, _, value in cells])
        if not values:
            return Reading()
        if merge == Merge.LAST:
            return Reading(max(cells, key=lambda cell: cell[1])[2])
        if merge in (Merge.MIN, Merge.MAX):
            return Reading((min if merge == Merge.MIN else max)(without_nan(values)))
        is_whole = group.family.kind == Kind.GAUGE_I64
        total = sum(values) if is_whole else compensated(values)
        if merge == Merge.MEAN:
            return Reading(float(total) / float(len(values)))
        return Reading(min(max(total, -2**63), 2**63 - 1) if is_whole else total)

    def _time(self, process: Process, series: Series, merge: Merge) -> int | None:
        """A mark; of rule 3 only since the reset [14]."""
        cell = self._gauge_cell(process, series, True)
        since = self.resets.table.time(series.number) if merge == Merge.MAX else 0
        return None if cell is None or cell[1] == 0 or cell[1] < since else cell[1]

    def _state(self, process: Process, series: Series) -> State | None:
        cell = self._gauge_cell(process, series, False)
        if cell is None:
            return None
        number, streak = cell[1] >> 56, cell[1] & 2**56 - 1
        if number >= len(series.statuses):
            return State(process, str(number), streak, True)
        status = series.statuses[number]
        return State(process, status.name, streak, not 0 <= status.unhealthy_from <= streak)

    def _tables(self, group: Group) -> list[tuple[int, InFlightShape]]:
        return [(self.segment.header.shared_blocks_region + series.placement, series.table)
                for series in group.shown if series.table is not None]

    # --- Histograms -------------------------------------------------------------------------------------------------

    def _block(self, series: Series, lane: int) -> Block | None:
        """A block that may be touched [D-5]."""
        assert series.shape is not None, "only histograms have blocks"
        address = self.segment.block(lane, series.placement)
        return None if address is None else Block(self.segment, series.shape, address, self.segment.lane_entry(lane))

    def _histogram(self, snapshot: Snapshot, group: Group) -> Reading:
        scheme = group.scheme
        merged = Histogram(scheme)
        longest = max(series.shape.ring_slots for series in group.shown if series.shape is not None)
        windows = [(epochs, Histogram(scheme)) for epochs in range(1, longest)]
        for series in group.shown:
            states: list[State] = []
            for lane in (SHARED_LANE, *snapshot.lanes):
                if (block := self._block(series, lane)) is None:
                    continue
                kept = self._kept.setdefault((series.number, lane), Kept())
                if lane == SHARED_LANE:
                    merged.error += kept.shared(block)
                    for _, window in windows:
                        window.error += kept.state.count
                else:
                    merged.error += kept.at_epoch(block, snapshot.epoch) if self.cut else kept.live(block)
                    add_to_windows(windows, series, block, kept.state, snapshot.epoch)
                states.append(kept.state)
            baseline = None if self.for_windows else self.resets.table.histograms.get(series.number)
            if baseline is not None:
                merged.add_since(series, states, baseline)
                continue
            for state in states:
                merged.add(series, state)
        return Reading(histogram=merged, windows=windows)

    # --- Events -----------------------------------------------------------------------------------------------------

    def _events(self, snapshot: Snapshot, group: Group) -> Reading:
        """How many there are, of all revisions."""
        all_of = [series.rings.totals(list(snapshot.lanes)) for series in group.members if series.rings is not None]
        return Reading(events=Totals(
            sum(each.written for each in all_of), sum(each.dropped for each in all_of),
            sum(each.held for each in all_of), max(each.fullest for each in all_of),
            sum(each.capacity for each in all_of)))

    def events(self, snapshot: Snapshot) -> tuple[list[Event], int]:
        """All that are there, and how many are lost: read once, from the start."""
        found, lost = [], 0
        rings = (series.rings for group in snapshot.groups for series in group.members if series.rings is not None)
        for ring in rings:
            for lane in snapshot.lanes:
                events, end = ring.events(lane, 0)
                found.append(events)
                lost += end - len(events)
        return merged(found), lost

    # --- Per process ------------------------------------------------------------------------------------------------

    def process_values(self, snapshot: Snapshot, process: Process) -> Iterator[tuple[Group, Counted]]:
        """What the owner of lanes counted in them, if it is not zero, and its gauges; after all groups were read."""
        mine = [lane for lane, owner in snapshot.lanes.items() if owner == process.tag]
        lanes = [self._counted(snapshot, lane) for lane in mine]
        # Whether there is a baseline to subtract.
        owned = {lane: self.segment.load(self.segment.lane_entry(lane), LANE_INCARNATION) != 1
                 for lane in mine if self._has_baseline(snapshot, lane)}
        for group in snapshot.groups:
            kind = group.family.kind
            if kind in GAUGES:
                # Of revisions the oldest, be it set or not.
                cell = self._gauge_cell(process, group.by_age[0], False)
                if cell is not None and not (kind == Kind.TIME_MARK and cell[1] == 0):
                    state = self._state(process, group.by_age[0]) if kind == Kind.STATE else None
                    yield group, Counted(cell[1], state=state)
                continue
            if kind == Kind.SAMPLES:
                samples = self._samples(snapshot, group, owned)
                if samples.count:
                    yield group, Counted(0, samples=samples)
                continue
            if kind == Kind.TEXT:
                continue  # nobody's
            if kind == Kind.GROUP:
                fields = self._fields_of(group, owned)
                if fields.updates:
                    yield group, Counted(0, fields=fields)
                continue
            if kind == Kind.IN_FLIGHT:
                if number := of_process(self.segment, self._tables(group), process):
                    yield group, Counted(number)
                continue
            by_lane = [[lane[series.number] for series in group.shown if series.number in lane] for lane in lanes]
            count = sum(count for parts in by_lane for count, _ in parts) & WORD_MASK
            if kind == Kind.NUMBER:
                total = compensated(compensated(float(term) for _, term in parts) for parts in by_lane)
                if count == 0 and total == 0:
                    continue
                signed = count - 2**64 if count >> 63 else count
                is_float = (group.family.number, group.members[0].encoded_labels) in self._float_numbers
                yield group, Counted(float(signed) + total if is_float else signed)
                continue
            if kind in (Kind.COUNTER_U64, Kind.EVENTS):
                counted = Counted(count)
            else:
                # Compensated per lane, and over the lanes [15].
                total = compensated(compensated(float(term) for _, term in parts) for parts in by_lane)
                counted = Counted(total) if kind == Kind.COUNTER_F64 else Counted(total, count)
            if (counted.value if counted.count is None else counted.count) != 0:
                yield group, counted

    def _has_baseline(self, snapshot: Snapshot, lane: int) -> bool:
        """Is the baseline of a lane that of its owner [14]?"""
        load, entry = self.segment.load, self.segment.lane_entry(lane)
        owner, incarnation = load(entry, LANE_OWNER), load(entry, LANE_INCARNATION)
        acquire_fence()
        described = load(entry, LANE_BASELINE_WORD)
        acquire_fence()
        is_valid = load(entry, LANE_BASELINE_OWNER) == owner and (incarnation == 1 or described == incarnation)
        return owner == snapshot.lanes[lane] and is_valid

    def _counted(self, snapshot: Snapshot, lane: int) -> dict[int, tuple[int, Number]]:
        """The cells of a lane minus its baseline, by record: the whole number, and the float in the exported unit."""
        load, entry = self.segment.load, self.segment.lane_entry(lane)
        owner, incarnation = load(entry, LANE_OWNER), load(entry, LANE_INCARNATION)
        acquire_fence()
        described = load(entry, LANE_BASELINE_WORD)
        acquire_fence()
        is_first = incarnation == 1  # the baseline is zero
        is_valid = load(entry, LANE_BASELINE_OWNER) == owner and (is_first or described == incarnation)
        if owner != snapshot.lanes[lane] or not is_valid:
            return {}
        covered = 0 if is_first else min(load(entry, LANE_BASELINE_COUNTERS), self.segment.header.counters)
        counted: dict[int, tuple[int, Number]] = {}
        for series in (series for group in snapshot.groups for series in group.shown):
            if series.family.kind == Kind.NUMBER:
                words = []
                for at in (series.placement, series.placement + 1):
                    base = load(self.segment.counter_baseline(lane, at)) if at < covered else 0
                    words.append((load(self.segment.counter(lane, at)), base))
                (whole, whole_base), (part, part_base) = words
                counted[series.number] = (whole - whole_base) & WORD_MASK, float_of(part) - float_of(part_base)
            elif series.family.kind in COUNTERS:
                word = load(self.segment.counter(lane, series.placement))
                is_covered = series.placement < covered
                base = load(self.segment.counter_baseline(lane, series.placement)) if is_covered else 0
                value = gained(series.family.kind, word, base)
                counted[series.number] = (value, 0.0) if series.family.kind == Kind.COUNTER_U64 else (0, value)
            elif series.rings is not None:
                counted[series.number] = series.rings.written(lane, not is_first), 0.0
            elif series.family.kind in HISTOGRAMS and (block := self._block(series, lane)) is not None:
                state = self._kept.get((series.number, lane), Kept()).state  # what the snapshot shows
                base_count, base_sum = (0, 0) if is_first else (block.load(BASELINE_COUNT), block.load(BASELINE_SUM))
                if state.count >= base_count:
                    total = float(gained(series.family.kind, state.sum, base_sum)) * series.factor
                    counted[series.number] = state.count - base_count, total
        acquire_fence()
        is_same = load(entry, LANE_OWNER) == owner and load(entry, LANE_INCARNATION) == incarnation
        return counted if is_same else {}
