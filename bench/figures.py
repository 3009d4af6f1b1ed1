# SPDX-License-Identifier: Apache-2.0
"""Figures from counts, without any clock."""

from __future__ import annotations

import math

from msgspec import Struct


class Histogram(Struct, frozen=True):
    """Counts of values in buckets of equal width; the last one holds everything beyond."""

    width_ns: int
    counts: list[int]

    @property
    def total(self) -> int:
        """How many values."""
        return sum(self.counts)

    def quantile_ms(self, share: float) -> float:
        """The upper edge of the bucket in which the value of this rank lies (nearest rank); NaN when there is none."""
        rank = max(1, math.ceil(self.total * share))
        seen = 0
        for index, count in enumerate(self.counts):
            seen += count
            if seen >= rank:
                return (index + 1) * self.width_ns / 1e6
        return math.nan
