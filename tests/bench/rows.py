# SPDX-License-Identifier: Apache-2.0
"""Rows without a measurement."""

from __future__ import annotations

from bench.figures import Histogram
from bench.media.engine import Tally
from bench.media.row import Asked, Load, Row, row_of

SECOND = 1_000_000_000


def tally(sent: int = 1_000, received: int = 11_000, **counts: int) -> Tally:
    """Everything arrived, unless said otherwise."""
    values = dict.fromkeys(Tally.__struct_fields__, 0)
    return Tally(**{**values, "sent": sent, "expected": 11 * sent, "received": received, **counts})


def at(bucket: int) -> Histogram:
    """All values in one bucket of 1 ms."""
    counts = [0] * 100
    counts[bucket] = 1_000
    return Histogram(width_ns=1_000_000, counts=counts)


def row(
    *, rooms: int = 3, latency_ms: int = 2, late_ms: int = 1, load: Load | None = None, counted: Tally | None = None
) -> Row:
    """A good row of ten seconds at half a core, unless said otherwise."""
    quiet = Load(
        wall_ns=10 * SECOND,
        server_ns=5 * SECOND,
        generator_ns=2 * SECOND,
        server_core_ns=5 * SECOND,
        generator_core_ns=2 * SECOND,
    )
    return row_of(Asked(rooms, 10.0), load or quiet, None, counted or tally(), at(latency_ms - 1), at(late_ms - 1))
