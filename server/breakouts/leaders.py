# SPDX-License-Identifier: Apache-2.0
"""Who leads which breakout after people have been moved.

A peer leader who is taken to another breakout gives up the one they led (one who goes to main keeps it, to come back),
and leads the new one if nobody does. Who has left, or is only a participant now, leads no more.
"""

from __future__ import annotations

from msgspec.structs import replace

from server.breakouts.revisions import Moves
from server.ids import MAIN, ParticipantId, Placement
from server.rooms.roles import STAFF
from server.rooms.state import Breakout, Role, RoomState


def with_leaders(state: RoomState, rooms: tuple[Breakout, ...], moves: Moves) -> tuple[Breakout, ...]:
    """The rooms with those leaders that they have after these moves."""
    return tuple(replace(room, leader=_leader(state, room, moves)) for room in rooms)


def _leader(state: RoomState, room: Breakout, moves: Moves) -> ParticipantId | None:
    place = Placement(room.id)
    leader = room.leader
    if leader is not None and _role(state, leader) in STAFF and moves.get(leader, place) in (place, MAIN):
        return leader
    arriving = (id_ for id_, to in moves.items() if to == place)
    return next((id_ for id_ in arriving if _role(state, id_) is Role.LEADER), None)


def _role(state: RoomState, participant: ParticipantId) -> Role | None:
    person = state.participants.get(participant)
    return None if person is None else person.role
