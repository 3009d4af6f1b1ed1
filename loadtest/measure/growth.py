# SPDX-License-Identifier: Apache-2.0
"""Whether a server grows while its load does not: memory, open files, tasks, lateness. Pure.

The time that counts is cut into stretches, of each of which only the median is kept: what comes and goes within one is
no growth. The slope is the median of the slopes between all pairs of stretches (Theil, 1950), its interval that of Sen
(1968): a single step or outlier moves neither far.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import Final

from msgspec import Struct

STRETCHES: Final = 24
LEAST_S: Final = 60.0
"""Of less than a minute nothing can be said."""
_SURE: Final = 1.96
"""Standard deviations to both sides of 95 %."""
_FEWEST: Final = 8
"""Stretches with a value; below that the interval has no ends."""
_HOUR: Final = 3_600.0
_FULL: Final = 0.95
_EARLY: Final = 0.25
_LATE: Final = 0.5

Point = tuple[float, float]
"""Second after the start, and value."""


class Growth(Struct, frozen=True):
    """From `since_s` to `until_s`, along the line: from `first` to `last`. `low` and `high`: of `per_hour`, 95 %."""

    since_s: float
    until_s: float
    first: float
    last: float
    per_hour: float
    low: float
    high: float

    @property
    def certain(self) -> float:
        """By how much it has grown at least, in the time that was looked at; 0: it may not have grown at all."""
        return max(0.0, self.low) * (self.until_s - self.since_s) / _HOUR

    @property
    def certain_percent(self) -> float:
        """The same, of what it was at first."""
        return 100 * self.certain / self.first if self.first > 0 else 0.0


def growth_of(points: Sequence[Point]) -> Growth | None:
    """None: too short, or too few values."""
    if not points or points[-1][0] - points[0][0] < LEAST_S:
        return None
    since_s, until_s = points[0][0], points[-1][0]
    middles = _medians(points, since_s, (until_s - since_s) / STRETCHES)
    if len(middles) < _FEWEST:
        return None
    slopes = sorted(
        (later - value) / (at_s - before_s)
        for number, (before_s, value) in enumerate(middles)
        for at_s, later in middles[number + 1 :]
    )
    slope = median(slopes)
    level = median(value - slope * at_s for at_s, value in middles)
    count = len(middles)
    spread = _SURE * math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    low = slopes[max(0, math.floor((len(slopes) - spread) / 2))]
    high = slopes[min(len(slopes) - 1, math.ceil((len(slopes) + spread) / 2))]
    return Growth(
        since_s,
        until_s,
        level + slope * since_s,
        level + slope * until_s,
        _HOUR * slope,
        _HOUR * low,
        _HOUR * high,
    )


def settled_from(present: Sequence[tuple[int, int]], duration_s: float) -> float:
    """When everybody was there; not before a quarter of the time, nor after half of it."""
    most = max((people for _, people in present), default=0)
    full = next((second for second, people in present if people >= _FULL * most), 0)
    return min(_LATE * duration_s, max(_EARLY * duration_s, full))


def _medians(points: Sequence[Point], since_s: float, width_s: float) -> list[Point]:
    """In the middle of each stretch that has values."""
    stretches: dict[int, list[float]] = {}
    for at_s, value in points:
        stretches.setdefault(min(STRETCHES - 1, int((at_s - since_s) / width_s)), []).append(value)
    return [(since_s + (number + 0.5) * width_s, median(values)) for number, values in sorted(stretches.items())]
