# SPDX-License-Identifier: Apache-2.0
"""What one measurement says, and whether it may be believed."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from msgspec import Struct

from bench.figures import Histogram
from bench.media.engine import Tally

MAX_LOSS: Final = 0.005
MAX_P95_MS: Final = 50.0
MAX_FOREIGN: Final = 0.05
MAX_GENERATOR_BUSY: Final = 0.9
MAX_LATENESS_MS: Final = 5.0


class Doubt(StrEnum):
    """Why a row is no figure."""

    GENERATOR = "generator was the bottleneck"
    DISTURBED = "disturbed by other load"
    BROKEN = "packets were refused or lines stayed silent"


class Load(Struct, frozen=True):
    """Clocks, or the time between two readings of them. Core times include everybody."""

    wall_ns: int
    server_ns: int
    generator_ns: int
    server_core_ns: int
    generator_core_ns: int

    def since(self, before: Load) -> Load:
        """What passed."""
        return Load(*(now - then for now, then in zip(self.values(), before.values(), strict=True)))

    def values(self) -> tuple[int, ...]:
        """In the order of the fields."""
        return (self.wall_ns, self.server_ns, self.generator_ns, self.server_core_ns, self.generator_core_ns)

    @property
    def foreign(self) -> float:
        """The share of the worse of the two cores that went to others."""
        server = self.server_core_ns - self.server_ns
        generator = self.generator_core_ns - self.generator_ns
        return max(server, generator, 0) / self.wall_ns


class Row(Struct, frozen=True):
    """One measurement. Times in ms unless named otherwise; shares from 0 to 1."""

    rooms: int
    seconds: float
    sent: int
    received: int
    loss: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    us_per_packet: float
    """CPU time of the server process for each packet that arrived."""
    server_cpu: float
    loop_lag_ms: float | None
    generator_busy: float
    lateness_p99_ms: float
    foreign: float
    tally: Tally
    doubts: tuple[Doubt, ...]

    @property
    def carried(self) -> bool:
        """Whether the rooms were served as a group needs it."""
        return self.loss < MAX_LOSS and self.p95_ms < MAX_P95_MS


class Asked(Struct, frozen=True):
    """What a measurement was to be."""

    rooms: int
    seconds: float
    every_line: bool = True
    """Whether there is something for every line."""


def row_of(
    asked: Asked,
    load: Load,
    loop_lag_ms: float | None,
    tally: Tally,
    latency: Histogram,
    lateness: Histogram,
) -> Row:
    """Put counts and clocks of one run together. Shares of cores are of the whole time, the last packets included."""
    wall = load.wall_ns
    late_ms = lateness.quantile_ms(0.99)
    busy = load.generator_ns / wall
    doubts = []
    if busy > MAX_GENERATOR_BUSY or late_ms > MAX_LATENESS_MS or tally.unsent or tally.ring_full:
        doubts.append(Doubt.GENERATOR)
    if load.foreign > MAX_FOREIGN:
        doubts.append(Doubt.DISTURBED)
    if tally.refused or (asked.every_line and tally.silent_lines):
        doubts.append(Doubt.BROKEN)
    return Row(
        rooms=asked.rooms,
        seconds=asked.seconds,
        sent=tally.sent,
        received=tally.received,
        loss=round(1 - tally.received / tally.expected, 6) if tally.expected else 1.0,
        p50_ms=latency.quantile_ms(0.5),
        p95_ms=latency.quantile_ms(0.95),
        p99_ms=latency.quantile_ms(0.99),
        us_per_packet=round(load.server_ns / 1000 / max(1, tally.received), 3),
        server_cpu=round(load.server_ns / wall, 3),
        loop_lag_ms=loop_lag_ms,
        generator_busy=round(busy, 3),
        lateness_p99_ms=late_ms,
        foreign=round(load.foreign, 3),
        tally=tally,
        doubts=tuple(doubts),
    )
