# SPDX-License-Identifier: Apache-2.0
"""What media should flow: a pure function of the room, to which the media plane reconciles."""

from __future__ import annotations

from msgspec import Struct

from server.ids import ParticipantId, Placement
from server.rooms.people import by_placement, leads
from server.rooms.state import Participant, Role, RoomState, Round


class RouteGroup(Struct, frozen=True):
    """People who share one placement, and whose media may be forwarded to all the others there.

    `audio` and `video` hold those of `members` whom the room lets be heard and seen right now, most
    important first (whose turn it is, spotlight, staff, then the order of joining): slots are given
    in this order when there are fewer slots than sources.
    """

    placement: Placement
    members: tuple[ParticipantId, ...]
    audio: tuple[ParticipantId, ...]
    video: tuple[ParticipantId, ...]


def routes_of(state: RoomState) -> tuple[RouteGroup, ...]:
    """One group for each placement with people in it; nobody in the lobby is in any."""
    return tuple(_group(state, place, people) for place, people in sorted(by_placement(state).items()))


def _group(state: RoomState, placement: Placement, people: list[Participant]) -> RouteGroup:
    round_ = state.rounds.get(placement)
    ranked = sorted(people, key=lambda person: _rank(state, person, round_))
    return RouteGroup(
        placement=placement,
        members=tuple(person.id for person in people),
        audio=tuple(person.id for person in ranked if person.microphone and _may_speak(state, person, round_)),
        video=tuple(person.id for person in ranked if person.camera),
    )


def _rank(state: RoomState, person: Participant, round_: Round | None) -> int:
    """Smaller is more important; equal ranks keep the order of joining."""
    if round_ is not None and round_.current == person.id:
        return 0
    if state.spotlight == person.id:
        return 1
    return 3 if person.role is Role.PARTICIPANT else 2


def _may_speak(state: RoomState, person: Participant, round_: Round | None) -> bool:
    """Hard-muted people never; out of turn in a round without cross-talk, only staff in charge of the placement."""
    if person.hard_muted:
        return False
    if round_ is None or not round_.no_cross_talk or round_.current == person.id:
        return True
    return person.role is Role.MODERATOR or leads(state, person)
