# SPDX-License-Identifier: Apache-2.0
"""When something is due in a room, asked of the rules only if anything that it depends on has changed. Pure."""

from __future__ import annotations

from operator import is_

from msgspec import Struct

from server.rooms.state import RoomState
from server.runner.steps import Rules


class Due(Struct, frozen=True):
    """`parts` of a state and what is due by them; `state`: the last one that has these parts."""

    state: RoomState | None = None
    parts: tuple[object, ...] = ()
    at_ms: int | None = None


def due_in(rules: Rules, state: RoomState, known: Due) -> Due:
    """What is due in this state; most commits leave alone what it depends on, and the same is asked about often."""
    if known.state is state:
        return known
    parts = rules.timed(state)
    if len(known.parts) == len(parts) and all(map(is_, known.parts, parts)):
        return Due(state, known.parts, known.at_ms)
    return Due(state, parts, rules.next_timeout(state))
