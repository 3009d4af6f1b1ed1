# SPDX-License-Identifier: Apache-2.0
"""Counters and histograms of what happens for each command: added up in plain numbers, put into words when asked.

prometheus_client's own take a lock and several calls for each sample; here all is counted in one thread, that of the
loop, which also answers who asks.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector


class Tally(Collector):
    """A counter; without labels it is shown from the beginning."""

    def __init__(self, name: str, text: str, *labels: str) -> None:
        self._told = (name, text, labels)
        self._counts: defaultdict[tuple[str, ...], int] = defaultdict(int, {} if labels else {(): 0})

    def add(self, *values: str, count: int = 1) -> None:
        """So many more with these values of the labels."""
        self._counts[values] += count

    def describe(self) -> Iterable[Metric]:
        """Its name, for the registry."""
        name, text, labels = self._told
        yield CounterMetricFamily(name, text, labels=labels)

    def collect(self) -> Iterator[Metric]:
        """As of now."""
        name, text, labels = self._told
        family = CounterMetricFamily(name, text, labels=labels)
        for values, count in self._counts.items():
            family.add_metric(values, count)
        yield family


class _Series:
    """The samples of one value of the labels; `counts` has one more than there are bounds."""

    __slots__ = ("counts", "total")

    def __init__(self, size: int) -> None:
        self.counts = [0] * size
        self.total = 0.0


class Spread(Collector):
    """A histogram with one label at most; a sample that equals a bound is below it."""

    def __init__(self, name: str, text: str, bounds: tuple[float, ...], *labels: str) -> None:
        self._told = (name, text, labels)
        self._bounds = bounds
        self._names = [*map(str, bounds), "+Inf"]
        self._series: dict[str, _Series] = {} if labels else {"": self._begun()}

    def add(self, seconds: float, value: str = "") -> None:
        """One sample with this value of the label."""
        series = self._series.get(value)
        if series is None:
            series = self._series[value] = self._begun()
        series.counts[bisect_left(self._bounds, seconds)] += 1
        series.total += seconds

    def describe(self) -> Iterable[Metric]:
        """Its name, for the registry."""
        name, text, labels = self._told
        yield HistogramMetricFamily(name, text, labels=labels)

    def collect(self) -> Iterator[Metric]:
        """As of now."""
        name, text, labels = self._told
        family = HistogramMetricFamily(name, text, labels=labels)
        for value, series in self._series.items():
            family.add_metric([value] if labels else [], list(self._buckets(series)), series.total)
        yield family

    def _begun(self) -> _Series:
        return _Series(len(self._bounds) + 1)

    def _buckets(self, series: _Series) -> Iterator[tuple[str, float]]:
        below = 0
        for bound, count in zip(self._names, series.counts, strict=True):
            below += count
            yield bound, below
