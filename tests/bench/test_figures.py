# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

from bench.figures import Histogram
from bench.machine import busy_ticks

STAT = "cpu  9 9 9 9 9 9 9 9 0 0\ncpu0 1 2 4 1000 2000 8 16 32 64 128\ncpu1 0 0 0 5 0 0 0 0 0 0\nctxt 5\n"


def test_a_quantile_is_the_edge_of_the_bucket_with_that_rank() -> None:
    """Nearest rank: of ten values the median is the fifth, and 95 % needs the tenth."""
    histogram = Histogram(width_ns=10_000, counts=[4, 1, 0, 4, 1])
    assert (histogram.quantile_ms(0.5), histogram.quantile_ms(0.9), histogram.quantile_ms(0.95)) == (0.02, 0.04, 0.05)


def test_nothing_measured_has_no_quantile() -> None:
    """No value is not the value zero: a row without packets must not look fast."""
    assert math.isnan(Histogram(width_ns=10_000, counts=[0, 0]).quantile_ms(0.5))


def test_a_core_is_busy_with_everything_but_waiting() -> None:
    """Idle and I/O wait do not count; what other guests took does, and guest time is not counted twice."""
    assert busy_ticks(STAT, 0) == 1 + 2 + 4 + 8 + 16 + 32
    assert busy_ticks(STAT, 1) == 0
