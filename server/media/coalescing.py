# SPDX-License-Identifier: Apache-2.0
"""How long a busy worker lets packets come together before it reads them, as network cards do with their interrupts.

Near its limit a worker gains most from large batches, and gets them only when it is already late: each packet that it
reads alone costs a turn of the loop, and for each subscriber a message of its own to the kernel. So it waits for some
of them before that. With less to do every packet is read when it comes.
"""

from __future__ import annotations

from typing import Final

BUSY: Final = 0.85
"""Share of a core from which on packets wait."""

CALM: Final = 0.6
"""And below which they do not any more: waiting itself takes up to a quarter off the load."""

PACKETS: Final = 96
"""So many shall come together: three quarters of what one reading takes. After a full one nobody waits."""

LONGEST_GAP_NS: Final = 8_000_000
"""From the beginning of one reading to the next, at most: a packet waits half of it."""

_NS: Final = 1_000_000_000


class Coalescing:
    """Whether to wait; `update` is called once a second."""

    __slots__ = ("gap_ns",)

    def __init__(self) -> None:
        self.gap_ns = 0
        """Between the beginnings of two readings, at least."""

    def update(self, busy: float, packets: int) -> int:
        """Feed the share of the core in use in the last second, and what came in it; returns `gap_ns`."""
        if busy > BUSY or (self.gap_ns and busy >= CALM):
            self.gap_ns = min(LONGEST_GAP_NS, PACKETS * _NS // max(1, packets))
        else:
            self.gap_ns = 0
        return self.gap_ns
