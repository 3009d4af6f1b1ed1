# SPDX-License-Identifier: Apache-2.0
"""The figures of one metric. Pure: a wrapper of HDR histograms that keeps thousandths of the metric's unit."""

from __future__ import annotations

from typing import Final

from hdrh.histogram import HdrHistogram
from msgspec import Struct

PER_UNIT: Final = 1_000
_LARGEST: Final = 3_600 * PER_UNIT * PER_UNIT
"""An hour of milliseconds; larger values count as this."""
_DIGITS: Final = 3
SHOWN: Final = (50.0, 90.0, 95.0, 99.0, 99.9)


def fresh_histogram() -> HdrHistogram:
    """Three significant digits from a thousandth to an hour, whatever the unit."""
    return HdrHistogram(1, _LARGEST, _DIGITS)


def record(histogram: HdrHistogram, value: float) -> None:
    """Count one value of the metric's unit."""
    histogram.record_value(min(_LARGEST, max(0, round(value * PER_UNIT))))


class Summary(Struct, frozen=True):
    """What a metric came to; of a counter only `count` and `rate`."""

    count: int
    rate: float
    minimum: float | None = None
    mean: float | None = None
    maximum: float | None = None
    percentiles: dict[str, float] = {}
    histogram: str = ""
    """The whole distribution, in the portable encoding of HdrHistogram (base64)."""

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
        if f"p{rank:g}" in self.percentiles:
            return self.percentiles[f"p{rank:g}"]
        return None if not self.histogram else _at(HdrHistogram.decode(self.histogram), rank)


def of_counter(count: int, seconds: float) -> Summary:
    """Figures of a counter."""
    return Summary(count, count / seconds if seconds else 0.0)


def of_trend(histogram: HdrHistogram, seconds: float) -> Summary:
    """Figures of a trend."""
    count = int(histogram.get_total_count())
    if count == 0:
        return Summary(0, 0.0)
    return Summary(
        count,
        count / seconds if seconds else 0.0,
        float(histogram.get_min_value()) / PER_UNIT,
        float(histogram.get_mean_value()) / PER_UNIT,
        float(histogram.get_max_value()) / PER_UNIT,
        {f"p{rank:g}": _at(histogram, rank) for rank in SHOWN},
        bytes(histogram.encode()).decode(),
    )


def _at(histogram: HdrHistogram, rank: float) -> float:
    return float(histogram.get_value_at_percentile(rank)) / PER_UNIT
