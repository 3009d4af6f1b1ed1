# SPDX-License-Identifier: Apache-2.0
"""What operators may know of a room: how it stands, and how many are in it. No name, no title, no word. Pure."""

from __future__ import annotations

from collections import Counter

from msgspec import Struct

from server.ids import LOBBY, Placement, RoomId
from server.rooms.phases import SessionStatus
from server.rooms.state import Role, RoomState


class RoomFacts(Struct, frozen=True):
    """One room that this node has loaded.

    `phase` counts from 1, of `phases`; 0 before the first. `connected` and `grace` are seats of people with a
    connection and of those whose place is kept. `places` are people by placement, breakouts by their ids.
    """

    room: RoomId
    status: SessionStatus
    phase: int
    phases: int
    connected: int
    grace: int
    lobby: int
    staff: int
    breakouts: int
    places: dict[Placement, int]


def facts_of(state: RoomState) -> RoomFacts:
    """How a room stands."""
    seats = state.seats.values()
    people = state.participants.values()
    places = Counter(person.placement for person in people)
    return RoomFacts(
        room=state.id,
        status=state.status,
        phase=_phase(state),
        phases=len(state.agenda.phases),
        connected=sum(seat.connection is not None for seat in seats),
        grace=sum(seat.connection is None for seat in seats),
        lobby=places[LOBBY],
        staff=sum(person.role is not Role.PARTICIPANT for person in people),
        breakouts=len(state.breakouts.rooms),
        places=dict(sorted(places.items())),
    )


def _phase(state: RoomState) -> int:
    numbers = {phase.id: number for number, phase in enumerate(state.agenda.phases, start=1)}
    return 0 if state.agenda.current is None else numbers[state.agenda.current]
