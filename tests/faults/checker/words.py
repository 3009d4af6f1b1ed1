# SPDX-License-Identifier: Apache-2.0
"""What the rules speak about: invariants and their violations, replayed histories, the truth of the log."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from msgspec import Struct

from server.ids import ParticipantId
from server.rooms.state import RoomState
from server.runner.core import ROOM_RULES
from tests.faults.checker.history import History, Life, Run
from tests.faults.checker.replay import Sight, sights


class Invariant(StrEnum):
    """What holds whatever happens; in the words of the fault list."""

    ONE_PLACE = "I1"
    NOBODY_LOST = "I2"
    PREFIX = "I3"
    MONOTONE = "I4"
    REVOKED = "I5"
    ACKED_KEPT = "I6"
    ONCE = "I7"
    MEDIA_FOLLOWS = "I8"
    BOUNDED = "I9"
    ALIVE = "I10"
    PRIVATE = "I11"
    NO_LEAK = "I12"


class Violation(Struct, frozen=True):
    """One breach; `detail` says where."""

    invariant: Invariant
    detail: str


class Witness(Struct, frozen=True):
    """A history together with its replay."""

    history: History
    sights: tuple[Sight, ...]

    @property
    def person(self) -> ParticipantId:
        """Whose it is."""
        return self.history.person

    @property
    def last_view(self) -> RoomState | None:
        """What stood before their eyes at the end."""
        return self.sights[-1].view if self.sights else None


def witnesses(run: Run) -> tuple[Witness, ...]:
    """Every history, replayed."""
    return tuple(Witness(history, tuple(sights(history))) for history in run.histories)


def states(life: Life) -> Iterator[tuple[int, RoomState]]:
    """The truth after each position of this life, the one it starts at included."""
    state = life.snapshot
    yield life.start, state
    for seq, entry in enumerate(life.entries, life.start + 1):
        state = ROOM_RULES.fold(state, entry, seq)
        yield seq, state
