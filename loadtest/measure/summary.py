# SPDX-License-Identifier: Apache-2.0
"""The figures of one metric, from an HDR histogram of thousandths of its unit. Pure.

Percentiles are right to one percent, whatever their size; mean, least and largest are exact.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

from hdrh.histogram import HdrHistogram
from msgspec import Struct

PER_UNIT: Final = 1_000
_LARGEST: Final = 3_600 * PER_UNIT * PER_UNIT
"""An hour of milliseconds; larger values count as this."""
_DIGITS: Final = 2
SHOWN: Final = (50.0, 90.0, 95.0, 99.0, 99.9)


class Trend(Struct, frozen=True):
    """A part of a distribution as it travels; parts of one metric add up to the whole."""

    histogram: str
    """In the portable encoding of HdrHistogram (base64)."""
    total: float
    least: float
    most: float


class Distribution:
    """Values of one metric."""

    def __init__(self) -> None:
        self.histogram = HdrHistogram(1, _LARGEST, _DIGITS)
        self.count = 0
        self._total = 0.0
        self._least = math.inf
        self._most = -math.inf

    def record(self, value: float) -> None:
        """Count one value of the metric's unit."""
        self.histogram.record_value(min(_LARGEST, max(0, round(value * PER_UNIT))))
        self.count += 1
        self._total += value
        self._least, self._most = min(self._least, value), max(self._most, value)

    def add(self, part: Trend) -> None:
        """Take in what somebody else has counted."""
        self.histogram.decode_and_add(part.histogram)
        self.count = int(self.histogram.get_total_count())
        self._total += part.total
        self._least, self._most = min(self._least, part.least), max(self._most, part.most)

    def trend(self) -> Trend:
        """To be added elsewhere."""
        return Trend(bytes(self.histogram.encode()).decode(), self._total, self._least, self._most)

    @property
    def mean(self) -> float:
        """Of at least one value."""
        return self._total / self.count

    @property
    def most(self) -> float:
        """Of at least one value."""
        return self._most

    @property
    def least(self) -> float:
        """Of at least one value."""
        return self._least

    def percentiles(self, ranks: Sequence[float]) -> list[float]:
        """Of at least one value, by nearest rank; no figure goes beyond the largest value."""
        counts = self.histogram.counts[:]
        sums = list(accumulate(counts))
        found = []
        for rank in ranks:
            index = bisect_left(sums, max(1, math.ceil(self.count * rank / 100)))
            value = self.histogram.get_highest_equivalent_value(self.histogram.get_value_from_index(index))
            found.append(max(self._least, min(self._most, value / PER_UNIT)))
        return found


class Summary(Struct, frozen=True):
    """What a metric came to; of a counter only `count` and `rate`."""

    count: int
    rate: float
    minimum: float | None = None
    mean: float | None = None
    maximum: float | None = None
    percentiles: dict[str, float] = {}
    histogram: str = ""
    """The whole distribution, as in `Trend`."""

    def statistic(self, name: str) -> float | None:
        """By the name that a requirement uses; None: nothing was recorded. Any percentile can be asked for."""
        match name:
            case "count":
                return float(self.count)
            case "rate":
                return self.rate
            case "min" | "mean" | "max":
                return {"min": self.minimum, "mean": self.mean, "max": self.maximum}[name]
            case _:
                return self.percentile(float(name[1:]))

    def percentile(self, rank: float) -> float | None:
        """Of the whole distribution."""
        if (name := f"p{rank:g}") in self.percentiles:
            return self.percentiles[name]
        if self.minimum is None or self.maximum is None or self.mean is None:
            return None
        whole = Distribution()
        whole.add(Trend(self.histogram, self.mean * self.count, self.minimum, self.maximum))
        return whole.percentiles([rank])[0]


def of_counter(count: int, seconds: float) -> Summary:
    """Figures of a counter."""
    return Summary(count, count / seconds if seconds else 0.0)


def of_trend(values: Distribution, seconds: float, *, whole: bool = True) -> Summary:
    """Figures of a trend; without the `whole` distribution only the percentiles that are shown can be asked for."""
    if values.count == 0:
        return Summary(0, 0.0)
    return Summary(
        values.count,
        values.count / seconds if seconds else 0.0,
        values.least,
        values.mean,
        values.most,
        {f"p{rank:g}": value for rank, value in zip(SHOWN, values.percentiles(SHOWN), strict=True)},
        values.trend().histogram if whole else "",
    )


def decoded(summary: Summary) -> list[tuple[float, int]]:
    """The values of a trend and how often each was seen, the smallest first; each is right to one percent."""
    if not summary.histogram:
        return []
    histogram = HdrHistogram.decode(summary.histogram)
    counts = histogram.counts[:]
    return [(histogram.get_value_from_index(index) / PER_UNIT, count) for index, count in enumerate(counts) if count]
