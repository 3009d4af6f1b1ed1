# SPDX-License-Identifier: Apache-2.0
"""A room of people for tests of breakouts: `m` is the moderator, `l1`.. peer leaders, `p1`.. participants."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

import pytest
from msgspec.structs import replace

from server.breakouts.breakouts import decide_breakouts
from server.breakouts.plan import decide_plan
from server.breakouts.timeouts import decide_timeout
from server.errors import CommandRejected, RejectCode
from server.ids import LOBBY, MAIN, BreakoutId, ParticipantId, Placement, RoomId
from server.rooms import commands as c
from server.rooms.context import Context, Events
from server.rooms.events import BreakoutsChange, BreakoutsRevised, LeaveReason, ParticipantJoined, ParticipantLeft
from server.rooms.evolve import evolve, fold
from server.rooms.phases import SessionStatus
from server.rooms.state import (
    Agenda,
    AssignmentStrategy,
    BreakoutPlan,
    Participant,
    PlannedRoom,
    Role,
    RoomSettings,
    RoomState,
)

EventT = TypeVar("EventT")

M = ParticipantId("m")
MINUTE = 60_000
B1, B2, B3 = BreakoutId("b1"), BreakoutId("b2"), BreakoutId("b3")


def pid(name: str) -> ParticipantId:
    """An id from its text."""
    return ParticipantId(name)


def pids(names: str) -> tuple[ParticipantId, ...]:
    """Ids from "p1 p2 p3"."""
    return tuple(ParticipantId(name) for name in names.split())


def place(name: str) -> Placement:
    """A placement from its text."""
    return Placement(name)


def person(name: str, placement: Placement = MAIN, joined_ms: int = 0) -> Participant:
    """Somebody whose role is told by the first letter of their id."""
    role = {"m": Role.MODERATOR, "l": Role.LEADER, "p": Role.PARTICIPANT}[name[0]]
    return Participant(id=pid(name), name=name.upper(), role=role, placement=placement, joined_ms=joined_ms)


def room(participants: int = 6, leaders: int = 0, lobby: str = "") -> RoomState:
    """A live session with everyone in main, and these people in the lobby."""
    names = ["m", *(f"l{n + 1}" for n in range(leaders)), *(f"p{n + 1}" for n in range(participants))]
    people = [person(name, MAIN, index) for index, name in enumerate(names)]
    people += [person(name, LOBBY, 1000) for name in lobby.split()]
    return RoomState(
        id=RoomId("r"),
        status=SessionStatus.LIVE,
        settings=RoomSettings(title="T"),
        agenda=Agenda(version=1, phases=()),
        participants={someone.id: someone for someone in people},
    )


def decide(
    state: RoomState, command: c.BreakoutCommand | c.PlanCommand, now: int = 0, *, seed: int = 0, actor: str = "m"
) -> Events:
    """The events of one command."""
    ctx = Context(now_ms=now, seed=seed)
    if isinstance(command, c.PlanCommand):
        return decide_plan(state, command, pid(actor), ctx)
    return decide_breakouts(state, command, pid(actor), ctx)


def run(
    state: RoomState, command: c.BreakoutCommand | c.PlanCommand, now: int = 0, *, seed: int = 0, actor: str = "m"
) -> RoomState:
    """The state after one command."""
    return fold(state, decide(state, command, now, seed=seed, actor=actor))


def refused(state: RoomState, command: c.BreakoutCommand | c.PlanCommand, now: int = 0, actor: str = "m") -> RejectCode:
    """The reason for which a command is refused."""
    with pytest.raises(CommandRejected) as refusal:
        decide(state, command, now, actor=actor)
    return refusal.value.code


def decide_clock(state: RoomState, now: int) -> Events:
    """What the clock brings at this time."""
    return decide_timeout(state, Context(now_ms=now))


def tick(state: RoomState, now: int) -> RoomState:
    """The state after the clock has been asked."""
    return fold(state, decide_clock(state, now))


def draft(
    state: RoomState,
    rooms: int = 2,
    strategy: AssignmentStrategy = AssignmentStrategy.EVEN,
    *,
    minutes: int = 0,
    seed: int = 0,
) -> RoomState:
    """The state with a new draft."""
    command = c.DraftPlan(strategy=strategy, rooms=rooms, duration_ms=minutes * MINUTE, prompt="Why?")
    return run(state, command, seed=seed)


def plan_of(state: RoomState) -> BreakoutPlan:
    """The draft, which must be there."""
    assert state.breakouts.plan is not None
    return state.breakouts.plan


def hand_plan(state: RoomState, *rooms: str, minutes: int = 0) -> RoomState:
    """The state with a draft by hand of these rooms, each given as "p1 p2"."""
    state = draft(state, len(rooms), AssignmentStrategy.BY_HAND)
    planned = tuple(PlannedRoom(name=f"Room {index + 1}", members=pids(room)) for index, room in enumerate(rooms))
    edit = c.EditPlan(version=plan_of(state).version, rooms=planned, duration_ms=minutes * MINUTE, prompt="Why?")
    return run(state, edit)


def open_draft(state: RoomState, now: int = 0, *, lead: int = 0, alone: bool = False) -> RoomState:
    """The state with the draft opened, or announced."""
    return run(state, c.OpenBreakouts(version=plan_of(state).version, lead_ms=lead, allow_alone=alone), now)


def opened(*rooms: str, now: int = 0, minutes: int = 0, participants: int = 6, leaders: int = 0) -> RoomState:
    """A room with these breakouts open, each given as "p1 p2"."""
    planned = hand_plan(room(participants, leaders), *rooms, minutes=minutes)
    return open_draft(planned, now, alone=True)


def join(state: RoomState, name: str, placement: Placement = MAIN, now: int = 0) -> RoomState:
    """The state after somebody took a seat there."""
    return evolve(state, ParticipantJoined(participant=person(name, placement, now)))


def leave(state: RoomState, name: str, now: int = 0) -> RoomState:
    """The state after somebody left for good."""
    someone = state.participants[pid(name)]
    return evolve(state, ParticipantLeft(someone.id, someone.placement, LeaveReason.LEFT, now))


def change(state: RoomState, name: str, **fields: Any) -> RoomState:  # noqa: ANN401 - any field of a participant
    """The state with other facts about one person."""
    changed = replace(state.participants[pid(name)], **fields)
    return replace(state, participants={**state.participants, changed.id: changed})


def where(state: RoomState, place: str) -> str:
    """Who is there, as "p1 p2", in the order of their ids."""
    return " ".join(sorted(person.id for person in state.participants.values() if person.placement == place))


def placements(state: RoomState) -> dict[ParticipantId, Placement]:
    """Where everyone is."""
    return {someone.id: someone.placement for someone in state.participants.values()}


def only(events: Events, kind: type[EventT]) -> EventT:
    """The one event of this kind."""
    found = [event for event in events if isinstance(event, kind)]
    assert len(found) == 1, events
    return found[0]


def revision(events: Events) -> BreakoutsRevised:
    """The one revision among these events."""
    return only(events, BreakoutsRevised)


def changes(events: Iterable[object]) -> list[BreakoutsChange]:
    """What kinds of revisions these events hold."""
    return [event.change for event in events if isinstance(event, BreakoutsRevised)]
