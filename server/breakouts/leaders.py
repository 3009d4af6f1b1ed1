# SPDX-License-Identifier: Apache-2.0
"""Who leads which breakout after people have been moved.

A peer leader who is taken to another breakout gives up the one they led (one who goes to main keeps it, to come back),
and leads the new one if nobody does.
"""

from __future__ import annotations

from msgspec.structs import replace

from server.breakouts.revisions import Moves
from server.ids import MAIN, ParticipantId, Placement
from server.rooms.state import Breakout, Role, RoomState


def with_leaders(state: RoomState, rooms: tuple[Breakout, ...], moves: Moves) -> tuple[Breakout, ...]:
    """The rooms with those leaders that they have after these moves."""
    return tuple(replace(room, leader=_leader(state, room, moves)) for room in rooms)


def _leader(state: RoomState, room: Breakout, moves: Moves) -> ParticipantId | None:
    place = Placement(room.id)
    if room.leader in state.participants and moves.get(room.leader, place) in (place, MAIN):
        return room.leader
    arriving = (id_ for id_, to in moves.items() if to == place)
    return next((id_ for id_ in arriving if _is_leader(state, id_)), None)


def _is_leader(state: RoomState, participant: ParticipantId) -> bool:
    person = state.participants.get(participant)
    return person is not None and person.role is Role.LEADER
