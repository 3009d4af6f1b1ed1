# SPDX-License-Identifier: Apache-2.0
"""What is true of every room at rest, whatever has happened. I1 and so on: the invariants of the design."""

from __future__ import annotations

from server.ids import EVERYWHERE, LOBBY, MAIN
from server.rooms.people import is_open
from server.rooms.rounds import is_over, members, next_in
from server.rooms.routes import routes_of
from server.rooms.state import (
    MAX_BREAKOUTS,
    MAX_CHAT_MESSAGES,
    MAX_GOALS,
    MAX_PENDING,
    MAX_PHASES,
    MAX_RECENT_COMMANDS,
    Role,
    RoomState,
)
from server.rooms.view import view_of


def check_room(state: RoomState) -> None:
    """All of them."""
    check_places(state)
    check_rounds(state)
    check_routes(state)
    check_references(state)
    check_bounds(state)


def check_places(state: RoomState) -> None:
    """I1: everyone has exactly one seat, in a placement that exists; moderators never wait in the lobby."""
    assert state.seats.keys() == state.participants.keys()
    for id_, person in state.participants.items():
        assert person.id == id_
        assert person.placement == LOBBY or is_open(state, person.placement)
        assert (person.role, person.placement) != (Role.MODERATOR, LOBBY)
        assert not (person.hard_muted and person.microphone)
    assert not state.removed & state.participants.keys()
    ids = [room.id for room in state.breakouts.rooms]
    assert len(set(ids)) == len(ids)


def check_rounds(state: RoomState) -> None:
    """A round is in a placement that exists, knows everyone there once, and waits for somebody."""
    for placement, round_ in state.rounds.items():
        assert is_open(state, placement)
        people = members(round_)
        assert len(set(people)) == len(people)
        here = {person.id: person for person in state.participants.values() if person.placement == placement}
        assert {id_ for id_, person in here.items() if person.role is not Role.MODERATOR} <= set(people)
        assert round_.current is None or round_.current in here
        to_come = (*round_.waiting, *round_.later)
        assert all(id_ in here and here[id_].role is not Role.MODERATOR for id_ in to_come)
        assert next_in(round_) is None
        assert not is_over(round_)


def check_routes(state: RoomState) -> None:
    """Nobody is forwarded across placements, unmuted against their will, or unseen by those who hear them."""
    grouped = [id_ for group in routes_of(state) for id_ in group.members]
    assert sorted(grouped) == sorted(id_ for id_, person in state.participants.items() if person.placement != LOBBY)
    for group in routes_of(state):
        people = [state.participants[id_] for id_ in group.members]
        assert {person.placement for person in people} == {group.placement}
        assert set(group.audio) <= {person.id for person in people if person.microphone and not person.hard_muted}
        assert set(group.video) == {person.id for person in people if person.camera}
        round_ = state.rounds.get(group.placement)
        if round_ is not None and round_.no_cross_talk:
            out_of_turn = {id_ for id_ in group.audio if state.participants[id_].role is Role.PARTICIPANT}
            assert out_of_turn <= {round_.current}
        for person in people:
            assert set(group.members) <= view_of(state, person.id).participants.keys()


def check_references(state: RoomState) -> None:
    """Hands, calls for help and the spotlight belong to people who are here."""
    hands = [hand.participant for hand in state.hands]
    calls = [request.participant for request in state.help]
    for ids in (hands, calls):
        assert len(set(ids)) == len(ids)
        assert set(ids) <= state.participants.keys()
    for request in state.help:
        assert state.participants[request.participant].placement == request.placement
    assert state.spotlight is None or state.participants[state.spotlight].placement != LOBBY
    assert state.agenda.current is None or state.agenda.current in {phase.id for phase in state.agenda.phases}


def check_bounds(state: RoomState) -> None:
    """I9: everything that grows has an end."""
    assert len(state.participants) <= state.settings.capacity
    assert len(state.breakouts.rooms) <= MAX_BREAKOUTS
    assert len(state.breakouts.pending) <= MAX_PENDING
    assert len(state.agenda.phases) <= MAX_PHASES
    assert len(state.goals) <= MAX_GOALS
    assert len(state.recent) <= MAX_RECENT_COMMANDS
    assert all(len(messages) <= MAX_CHAT_MESSAGES for messages in state.chat.values())
    before = state.memo.rooms if state.memo else ()
    assert state.chat.keys() <= {MAIN, EVERYWHERE, *(room.id for room in (*state.breakouts.rooms, *before))}
