# SPDX-License-Identifier: Apache-2.0
"""All intervals of all generator processes together: totals, and how it went over time. Pure."""

from __future__ import annotations

from collections import Counter

from msgspec import Struct

from loadtest.measure.metrics import METRICS, Kind
from loadtest.measure.recorder import Interval
from loadtest.measure.summary import Distribution, Summary, Trend, of_counter, of_trend


class Point(Struct, frozen=True):
    """A short stretch of a run, from `second` on, of one metric; for a counter only `count`."""

    second: int
    count: int
    p50: float | None = None
    p95: float | None = None
    maximum: float | None = None


class Totals:
    """Intervals may come in any order and several for each second; the merge loses nothing but when in a second."""

    def __init__(self) -> None:
        self._trends: dict[str, Distribution] = {}
        self._counters: Counter[str] = Counter()
        self._seconds: dict[str, dict[int, list[Trend]]] = {}
        """Encoded, as they came: a soak test has many seconds, and a histogram in use takes 26 KB."""
        self._counts: dict[str, Counter[int]] = {}
        self._present: dict[int, dict[int, int]] = {}
        self._latest: dict[int, int] = {}
        self.errors: Counter[str] = Counter()

    def add(self, second: int, interval: Interval, source: int = 0) -> None:
        """Take in what one process (`source`) noted down in this second after the start."""
        for name, part in interval.trends.items():
            self._trends.setdefault(name, Distribution()).add(part)
            self._seconds.setdefault(name, {}).setdefault(second, []).append(part)
        for name, count in interval.counters.items():
            self._counters[name] += count
            self._counts.setdefault(name, Counter())[second] += count
        self.errors.update(interval.errors)
        if source >= 0:
            self._present.setdefault(second, {})[source] = interval.present
            self._latest[source] = interval.present

    def summary(self, name: str, seconds: float, *, whole: bool = True) -> Summary:
        """Figures of a metric over the whole run. Raises KeyError for a name that is no metric."""
        if METRICS[name].kind is Kind.COUNTER:
            return of_counter(self._counters[name], seconds)
        return of_trend(self._trends.get(name) or Distribution(), seconds, whole=whole)

    def summaries(self, seconds: float, *, whole: bool = True) -> dict[str, Summary]:
        """Of every metric of which something was recorded."""
        recorded = [name for name in METRICS if name in self._trends or self._counters[name]]
        return {name: self.summary(name, seconds, whole=whole) for name in recorded}

    def points(self, name: str, width: int = 1) -> tuple[Point, ...]:
        """How a metric went, in stretches of `width` seconds; those without a value are left out."""
        if METRICS[name].kind is Kind.COUNTER:
            counts: Counter[int] = Counter()
            for second, count in self._counts.get(name, {}).items():
                counts[second - second % width] += count
            return tuple(Point(second, count) for second, count in sorted(counts.items()))
        stretches: dict[int, Distribution] = {}
        for second, parts in self._seconds.get(name, {}).items():
            whole = stretches.setdefault(second - second % width, Distribution())
            for part in parts:
                whole.add(part)
        return tuple(_point(second, values) for second, values in sorted(stretches.items()))

    @property
    def present_now(self) -> int:
        """How many people there are by the last word of each process; they do not speak at the same moment."""
        return sum(self._latest.values())

    def present(self) -> tuple[tuple[int, int], ...]:
        """How many people were in their rooms: (second, people)."""
        return tuple((second, sum(sources.values())) for second, sources in sorted(self._present.items()))


def _point(second: int, values: Distribution) -> Point:
    median, high = values.percentiles((50.0, 95.0))
    return Point(second, values.count, median, high, values.most)
