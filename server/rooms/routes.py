# SPDX-License-Identifier: Apache-2.0
"""What media should flow: a pure function of the room, to which the media plane reconciles."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from server.ids import ParticipantId, Placement
from server.rooms.people import by_placement, leads
from server.rooms.phases import RoundOrder
from server.rooms.state import Participant, Role, RoomState, Round

HANDS_AWAITED: Final = 4
"""Raised hands, oldest first, whose voices hold a slot in each placement; the others speak a moment later."""


class RouteGroup(Struct, frozen=True):
    """People who share one placement, and whose media may be forwarded to all the others there.

    `audio` and `video` hold those of `members` whom the room lets be heard and seen right now, most
    important first (whose turn it is, spotlight, staff, then the order of joining): slots are given
    in this order when there are fewer slots than sources.

    `awaited` are those whose voice must have a slot before it begins: whose turn it is, the spotlight, who is next,
    raised hands. `staff` are those who lead here. Both most important first.
    """

    placement: Placement
    members: tuple[ParticipantId, ...]
    audio: tuple[ParticipantId, ...]
    video: tuple[ParticipantId, ...]
    awaited: tuple[ParticipantId, ...] = ()
    staff: tuple[ParticipantId, ...] = ()


def routes_of(state: RoomState) -> tuple[RouteGroup, ...]:
    """One group for each placement with people in it; nobody in the lobby is in any."""
    return tuple(_group(state, place, people) for place, people in sorted(by_placement(state).items()))


def _group(state: RoomState, placement: Placement, people: list[Participant]) -> RouteGroup:
    round_ = state.rounds.get(placement)
    shown = [person for person in people if person.microphone or person.camera]
    ranked = sorted(shown, key=lambda person: _rank(state, person, round_))
    return RouteGroup(
        placement=placement,
        members=tuple(person.id for person in people),
        audio=tuple(person.id for person in ranked if person.microphone and _may_speak(state, person, round_)),
        video=tuple(person.id for person in ranked if person.camera),
        awaited=_awaited(state, people, round_),
        staff=tuple(person.id for person in people if _in_charge(state, person)),
    )


def _awaited(state: RoomState, people: list[Participant], round_: Round | None) -> tuple[ParticipantId, ...]:
    if round_ is None and state.spotlight is None and not state.hands:
        return ()
    here = {person.id for person in people}
    hands = [hand.participant for hand in state.hands if hand.participant in here][:HANDS_AWAITED]
    called = (None, None) if round_ is None else (round_.current, _next_up(round_))
    expected = (called[0], state.spotlight, called[1], *hands)
    return tuple(dict.fromkeys(each for each in expected if each is not None and each in here))


def _next_up(round_: Round) -> ParticipantId | None:
    """Who will be called after the present turn; nobody knows while volunteers are awaited."""
    return None if round_.order is RoundOrder.VOLUNTEER else next(iter((*round_.waiting, *round_.later)), None)


def _in_charge(state: RoomState, person: Participant) -> bool:
    return person.role is Role.MODERATOR or leads(state, person)


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
    return _in_charge(state, person)
