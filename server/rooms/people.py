# SPDX-License-Identifier: Apache-2.0
"""Questions about who is where and who leads, asked by many concerns."""

from __future__ import annotations

from collections.abc import Iterable

from server.errors import CommandRejected, RejectCode
from server.ids import LOBBY, MAIN, ParticipantId, Placement
from server.rooms.state import Breakout, Participant, Role, RoomView


def in_order(people: Iterable[Participant]) -> tuple[Participant, ...]:
    """People in the order of joining, the same on every node and in every client."""
    return tuple(sorted(people, key=lambda person: (person.joined_ms, person.id)))


def people_in(state: RoomView, placement: Placement) -> tuple[Participant, ...]:
    """Who is in this placement, in the order of joining."""
    return in_order(person for person in state.participants.values() if person.placement == placement)


def by_placement(state: RoomView) -> dict[Placement, list[Participant]]:
    """Everyone who has been admitted, by where they are, in the order of joining."""
    places: dict[Placement, list[Participant]] = {}
    for person in in_order(state.participants.values()):
        if person.placement != LOBBY:
            places.setdefault(person.placement, []).append(person)
    return places


def breakouts_by_placement(state: RoomView) -> dict[Placement, Breakout]:
    """The open breakouts, each under the placement that it is."""
    return {Placement(room.id): room for room in state.breakouts.rooms}


def is_open(state: RoomView, placement: Placement) -> bool:
    """Whether admitted people can be in this placement."""
    return placement == MAIN or placement in breakouts_by_placement(state)


def leads(state: RoomView, person: Participant) -> bool:
    """Whether this peer leader is in the breakout they lead."""
    if person.role is not Role.LEADER:
        return False
    room = breakouts_by_placement(state).get(person.placement)
    return room is not None and room.leader == person.id


def require(state: RoomView, participant: ParticipantId) -> Participant:
    """The person; NOT_HERE when there is none."""
    person = state.participants.get(participant)
    if person is None:
        raise CommandRejected(RejectCode.NOT_HERE)
    return person


def require_some(state: RoomView, participants: Iterable[ParticipantId]) -> list[Participant]:
    """Those of these people who are still here, each once; NOT_HERE when nobody is."""
    people = [state.participants[each] for each in dict.fromkeys(participants) if each in state.participants]
    if not people:
        raise CommandRejected(RejectCode.NOT_HERE)
    return people


def require_admitted(state: RoomView, participant: ParticipantId) -> Participant:
    """The person; NOT_HERE when there is none, NOT_NOW while they wait in the lobby."""
    person = require(state, participant)
    if person.placement == LOBBY:
        raise CommandRejected(RejectCode.NOT_NOW)
    return person


def require_moderation(state: RoomView, actor: Participant, target: Participant) -> None:
    """NOT_ALLOWED unless the actor may moderate this person.

    Moderators may moderate anybody; leaders whoever is in the breakout they lead, but for moderators.
    """
    if actor.role is Role.MODERATOR:
        return
    if not leads(state, actor) or target.placement != actor.placement or target.role is Role.MODERATOR:
        raise CommandRejected(RejectCode.NOT_ALLOWED)
