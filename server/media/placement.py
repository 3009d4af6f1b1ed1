# SPDX-License-Identifier: Apache-2.0
"""Which worker takes a room, and how much a room is expected to cost it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from server.rooms.routes import RouteGroup

PAIR_BUSY: Final = 0.0011
"""Share of one core that one person's voice and picture cost on the way to one other person: 110 packets a second
at 10 us each, the pure path's figure; the compiled path makes it an overestimate, which errs on the safe side."""

SLOTS: Final = 12
"""How many others one person gets at most, as far as the forecast goes."""

FULL: Final = 0.85
"""Share of a core from which a worker takes no further room: what it has may still grow."""


class WorkerLoad(Struct, frozen=True):
    """One worker as placement sees it: `measured` and `expected` are shares of one core."""

    ready: bool
    draining: bool
    measured: float
    expected: float

    @property
    def load(self) -> float:
        """What it does or will soon have to do, whichever is more."""
        return max(self.measured, self.expected)

    @property
    def takes_rooms(self) -> bool:
        """Whether another room may be placed here."""
        return self.ready and not self.draining and self.load < FULL


def expected_busy(groups: Iterable[RouteGroup]) -> float:
    """Share of a core that a room will cost when everybody in it has connected."""
    return PAIR_BUSY * sum(
        len(group.members) * min(SLOTS, len(set(group.audio) | set(group.video))) for group in groups
    )


def choose_worker(loads: Sequence[WorkerLoad]) -> int | None:
    """Index of the least loaded worker that is there to stay; None when there is none.

    Also one that takes no new rooms: people who are in a room already are carried as well as can be.
    """
    able = [index for index, load in enumerate(loads) if load.ready and not load.draining]
    return min(able, key=lambda index: loads[index].load, default=None)
