# SPDX-License-Identifier: Apache-2.0
"""Life of the breakouts: which command is possible when.

    CLOSED --open--> OPEN --close, time over, the last one closed--> CLOSED
    CLOSED --open with lead time--> OPENING --due--> OPEN      (undo, close: back to CLOSED)
    OPEN --close with lead time--> CLOSING --due--> CLOSED     (undo: back to OPEN)

Undo is possible always: it takes back an announced change, else the last change of rooms. So is closing: it is what
leaving the phase or ending the session does, in whatever state the breakouts are.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from server.errors import CommandRejected, RejectCode
from server.rooms import commands as c
from server.rooms.state import Breakouts, PendingKind


class BreakoutsStatus(StrEnum):
    """Told by the rooms and the announced changes alone; stored nowhere."""

    CLOSED = "closed"
    OPENING = "opening"
    OPEN = "open"
    CLOSING = "closing"


_Commands = frozenset[type[c.BreakoutCommand | c.PlanCommand]]

_ALWAYS: Final[_Commands] = frozenset({c.CloseBreakouts, c.UndoBreakouts})
_MOVING: Final[_Commands] = frozenset({c.Move, c.Swap, c.Visit, c.CloseBreakout, c.RenameBreakout})
_ARRANGING: Final[_Commands] = frozenset({c.MergeBreakouts, c.SplitBreakout, c.AddBreakout, c.ExtendBreakouts})
_PLANNING: Final[_Commands] = frozenset({c.DraftPlan, c.EditPlan, c.DiscardPlan})

POSSIBLE: Final[dict[BreakoutsStatus, _Commands]] = {
    BreakoutsStatus.CLOSED: _ALWAYS | _PLANNING | {c.OpenBreakouts, c.AddBreakout},
    BreakoutsStatus.OPENING: _ALWAYS,
    BreakoutsStatus.OPEN: _ALWAYS | _PLANNING | _MOVING | _ARRANGING,
    BreakoutsStatus.CLOSING: _ALWAYS | _PLANNING | _MOVING,
}


def status_of(breakouts: Breakouts) -> BreakoutsStatus:
    """Where in their life the breakouts are."""
    kinds = {change.kind for change in breakouts.pending}
    if breakouts.rooms:
        return BreakoutsStatus.CLOSING if PendingKind.CLOSE in kinds else BreakoutsStatus.OPEN
    return BreakoutsStatus.OPENING if PendingKind.OPEN in kinds else BreakoutsStatus.CLOSED


def require_possible(breakouts: Breakouts, command: c.BreakoutCommand | c.PlanCommand) -> None:
    """Refuse with NOT_NOW what the table does not list."""
    if type(command) not in POSSIBLE[status_of(breakouts)]:
        raise CommandRejected(RejectCode.NOT_NOW)
