# SPDX-License-Identifier: Apache-2.0
"""How long a busy worker lets packets come together before it reads them, as network cards do with their interrupts.

Near its limit a worker gains most from large batches, and gets them only when it is already late: each packet that it
reads alone costs a turn of the loop, and for each subscriber a message of its own to the kernel. So it waits for some
of them before that. With less to do every packet is read when it comes. Pure.
"""

from __future__ import annotations

from typing import Final

CALM: Final = 0.8
"""Share of a core up to which no packet waits."""

FULL: Final = 0.92
"""From here on they wait as long as they may; in between for a part of it."""

_STEP: Final = 0.5
"""Of the way to that part in each second. Waiting takes up to a quarter off the load, that is off its own reason: at
once it would swing to and fro."""

PACKETS: Final = 96
"""So many shall come together: three quarters of what one reading takes. After a full one nobody waits."""

LONGEST_GAP_NS: Final = 8_000_000
"""From the beginning of one reading to the next, at most: a packet waits half of it."""

_NS: Final = 1_000_000_000


class Coalescing:
    """How long to wait; `update` is called once a second."""

    __slots__ = ("_part", "gap_ns")

    def __init__(self) -> None:
        self._part = 0.0
        self.gap_ns = 0
        """Between the beginnings of two readings, at least."""

    def update(self, busy: float, packets: int) -> int:
        """Feed the share of the core in use in the last second, and what came in it; returns `gap_ns`."""
        wanted = min(1.0, max(0.0, (busy - CALM) / (FULL - CALM)))
        self._part += (wanted - self._part) * _STEP
        self.gap_ns = int(self._part * min(LONGEST_GAP_NS, PACKETS * _NS // max(1, packets)))
        return self.gap_ns
