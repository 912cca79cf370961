"""Adding up: SPEC 14 (compensated sums, histograms, revisions, windows, quantiles) and the keys of 9.7."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Iterator

from .blocks import EPOCH, Block, State
from .buckets import Exponential, Scheme
from .layout import WORD_MASK, Kind, float_of
from .records import Series
from .resets import Baseline

Number = int | float


def compensated(terms: Iterable[float]) -> float:
    """Neumaier's rule, in the order given."""
    total = lost = 0.0
    for term in terms:
        reached = total + term
        lost += (total - reached) + term if abs(total) >= abs(term) else (term - reached) + total
        total = reached
    return total + lost if math.isfinite(total) and math.isfinite(lost) else total


def gained(kind: Kind, newer: int, older: int = 0) -> Number:
    """The difference of two words of a counter or of a sum; of one word: its value."""
    if kind in (Kind.COUNTER_U64, Kind.HISTOGRAM_INTEGER):
        return (newer - older) & WORD_MASK
    return float_of(newer) - float_of(older)


def without_nan(values: list[Number]) -> list[Number]:
    """NaN is passed over if there is another."""
    return [value for value in values if not math.isnan(value)] or values


class Histogram:
    """States of lanes and revisions, added up. Counts of damaged files wrap; errors saturate when shown."""

    def __init__(self, scheme: Scheme) -> None:
        self.scheme = scheme
        self.count = 0
        self.invalid = 0
        self.error = 0  # by how much the count may be off; 0: exact
        self._buckets: dict[int, int] = {}
        self._sums: dict[Series, list[Number]] = {}  # terms of every member
        self._minima: list[Number] = []
        self._maxima: list[Number] = []

    def add(self, series: Series, state: State) -> None:
        self.add_part(series, state.count, gained(series.family.kind, state.sum), state.buckets)
        self.invalid = (self.invalid + state.invalid) & WORD_MASK
        if state.minimum:
            self._minima.append(key_value(series, ~state.minimum & WORD_MASK))
        if state.maximum:
            self._maxima.append(key_value(series, state.maximum - 1))

    def add_since(self, series: Series, states: list[State], baseline: Baseline) -> None:
        """All lanes of a member that was reset: what they gained since."""
        assert series.scheme is not None, "only histograms are added"
        kind, inside = series.family.kind, dict[int, int]()
        for state in states:
            for bucket, count in state.buckets.items():
                inside[bucket] = (inside.get(bucket, 0) + count) & WORD_MASK
        grew = {bucket: count - baseline.buckets.get(bucket, 0) for bucket, count in inside.items()
                if count > baseline.buckets.get(bucket, 0)}
        below = sum(max(0, before - inside.get(bucket, 0)) for bucket, before in baseline.buckets.items())
        self.error += below + baseline.error
        count = sum(grew.values()) & WORD_MASK
        terms = [gained(kind, state.sum) for state in states]
        term: Number = sum(terms) if kind == Kind.HISTOGRAM_INTEGER else compensated(map(float, terms))
        term -= baseline.sum
        if count == 0 or kind != Kind.HISTOGRAM_CLASSIC and not term > 0:
            term = 0
        self.add_part(series, count, term, grew)
        self.invalid += max(0, (sum(state.invalid for state in states) & WORD_MASK) - baseline.invalid)
        self.invalid &= WORD_MASK
        if not grew:
            return
        least = [key_value(series, ~state.minimum & WORD_MASK) for state in states if state.minimum]
        most = [key_value(series, state.maximum - 1) for state in states if state.maximum]
        first, last = min(grew), max(grew)
        bounds = [] if first == 0 and kind == Kind.HISTOGRAM_CLASSIC else [series.scheme.lower(first)]
        if least:
            self._minima.append(max(without_nan([min(without_nan(least)), *bounds])))
        bounds = [] if last == series.scheme.buckets - 1 else [series.scheme.upper(last)]
        if most:
            self._maxima.append(min(without_nan([max(without_nan(most)), *bounds])))

    def add_window(self, series: Series, newer: State, older: State) -> None:
        """What a lane gained between two epochs. Where a bucket shrank: the buckets that grew, no sum, bounded."""
        grew = {bucket: inside - older.buckets.get(bucket, 0) for bucket, inside in newer.buckets.items()
                if inside > older.buckets.get(bucket, 0)}
        term: Number | None = gained(series.family.kind, newer.sum, older.sum)
        if any(inside > newer.buckets.get(bucket, 0) for bucket, inside in older.buckets.items()):
            term = None
            self.error += max(1, abs(newer.count - older.count))
        self.add_part(series, sum(grew.values()), term, grew)

    def add_part(self, series: Series, count: int, term: Number | None, buckets: dict[int, int]) -> None:
        assert series.scheme is not None, "only histograms are added"
        self.count = (self.count + count) & WORD_MASK
        if term is not None:
            self._sums.setdefault(series, []).append(term)
        for bucket, inside in buckets.items():
            bucket = series.scheme.bucket_in(self.scheme, bucket)
            self._buckets[bucket] = (self._buckets.get(bucket, 0) + inside) & WORD_MASK

    @property
    def sum(self) -> float:
        """Of each member as a float, times its factor; the members oldest first."""
        members = sorted(self._sums.items(), key=lambda member: member[0].age)
        return compensated(
            (float(sum(terms)) if series.family.kind == Kind.HISTOGRAM_INTEGER else compensated(terms)) * series.factor
            for series, terms in members)

    @property
    def minimum(self) -> Number | None:
        return min(without_nan(self._minima), default=None) if self.count else None

    @property
    def maximum(self) -> Number | None:
        return max(without_nan(self._maxima), default=None) if self.count else None

    def cumulative(self) -> Iterator[tuple[int, int, int]]:
        """The buckets that hold something: number, count in it, count up to its end."""
        reached = 0
        for bucket, inside in sorted(self._buckets.items()):
            if inside:
                reached = (reached + inside) & WORD_MASK
                yield bucket, inside, reached

    def quantile(self, q: float) -> float | None:
        rank = q * float(self.count)
        found = next((found for found in self.cumulative() if float(found[2]) >= rank), None)
        if self.count == 0 or found is None:
            return None
        bucket, inside, reached = found
        lower = self.scheme.lower(bucket)
        if bucket == self.scheme.buckets - 1:
            return lower
        upper = self.scheme.upper(bucket)
        before = (reached - inside) & WORD_MASK
        fraction = min(max((rank - float(before)) / float(inside), 0.0), 1.0)
        if fraction in (0.0, 1.0):
            return upper if fraction else lower
        if isinstance(self.scheme, Exponential) and lower > 0.0:
            value = math.exp2(math.log2(lower) + (math.log2(upper) - math.log2(lower)) * fraction)
        else:
            value = lower * (1.0 - fraction) + upper * fraction
        return min(max(value, lower), upper)


Windows = list[tuple[int, Histogram]]  # length in epochs, content; shortest first


def add_to_windows(windows: Windows, series: Series, block: Block, shown: State, end: int) -> None:
    """One lane's part of the windows, which all end with the epoch `end`; `shown` is its state in the snapshot."""
    newest, ring_slots = block.load(EPOCH), block.shape.ring_slots
    at_epoch = functools.cache(block.at_epoch)
    for epochs, window in windows:
        start = max(0, end - epochs)
        if ring_slots > 0 and newest <= start:
            continue  # idle
        newer = at_epoch(end) if ring_slots > epochs else None
        older = at_epoch(start) if newer is not None else None
        if newer is None or older is None:
            window.error += max(1, shown.count)
        else:
            window.add_window(series, newer, older)


def key_value(series: Series, key: int) -> float:
    """The value that a key of `minimum` or `maximum` stands for [9.7]."""
    if series.family.kind == Kind.HISTOGRAM_INTEGER:
        return float(key) * series.factor
    return float_of(key ^ 2**63 if key >> 63 else ~key & WORD_MASK) * series.factor
