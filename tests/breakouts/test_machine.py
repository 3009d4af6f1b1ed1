# SPDX-License-Identifier: Apache-2.0
"""Any order of plans, changes, arrivals, departures and time, decided as the runner does (`server.rooms.decide`)."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace

from server.errors import CommandRejected
from server.ids import LOBBY, MAIN, BreakoutId, ConnectionId, ParticipantId, Placement
from server.rooms import commands as c
from server.rooms.context import Context, Events
from server.rooms.decide import decide
from server.rooms.events import (
    BreakoutsChange,
    BreakoutsExtended,
    BreakoutsRevised,
    ChangeAnnounced,
    ChangeCancelled,
    PlanChanged,
)
from server.rooms.evolve import evolve, fold
from server.rooms.phases import SessionStatus
from server.rooms.state import AssignmentStrategy, PendingKind, PlannedRoom, Role, RoomState
from server.rooms.timeouts import decide_timeout, next_timeout
from tests.breakouts.world import M, pid, placements, room

FILLED = (AssignmentStrategy.EVEN, AssignmentStrategy.RANDOM, AssignmentStrategy.BY_LEADER)
LEADS = st.sampled_from([0, 0, 3_000, 20_000])
ABOUT_BREAKOUTS = (PlanChanged, ChangeAnnounced, ChangeCancelled, BreakoutsRevised, BreakoutsExtended)


class BreakoutsMachine(RuleBasedStateMachine):
    """One live room. Commands about people who are there and about people who are not, about rooms open and closed."""

    def __init__(self) -> None:
        super().__init__()
        self.state = replace(room(0), status=SessionStatus.LIVE, participants={})
        self.now_ms = 0
        self.connections = 0
        self.ids: set[BreakoutId] = set()
        """Every id that a breakout ever had, or was announced to have."""

    # -- steps ---------------------------------------------------------------------------------------------------------

    @initialize(leaders=st.integers(0, 3), participants=st.integers(2, 9))
    def people_come(self, leaders: int, participants: int) -> None:
        """A moderator, and who is with them at the start."""
        self.take_seat(M)
        for name in [f"l{n}" for n in range(leaders)] + [f"p{n}" for n in range(participants)]:
            self.take_seat(pid(name))
            self.send(c.Admit(participants=(pid(name),)))

    @rule(number=st.integers(0, 30), kind=st.sampled_from("lp"), admitted=st.booleans())
    def joins(self, number: int, kind: str, *, admitted: bool) -> None:
        """Comes, or comes back; into the lobby, or on into the room."""
        participant = pid(f"{kind}{number}")
        self.take_seat(participant)
        if admitted:
            self.send(c.Admit(participants=(participant,)))

    @rule(data=st.data())
    def leaves(self, data: st.DataObject) -> None:
        """Goes for good; the moderator stays."""
        if others := [id_ for id_ in self.state.participants if id_ != M]:
            self.send(c.Leave(), actor=data.draw(st.sampled_from(others)))

    @rule(data=st.data())
    def loses_connection(self, data: st.DataObject) -> None:
        """Keeps the seat for a minute, or until they are back."""
        participant = self.someone(data)
        connection = self.state.seats[participant].connection
        if connection is not None:
            self.apply(decide(self.state, c.LoseConnection(participant, connection), None, self.context))

    @rule(strategy=st.sampled_from(AssignmentStrategy), rooms=st.integers(1, 4), minutes=st.integers(0, 6))
    def drafts(self, strategy: AssignmentStrategy, rooms: int, minutes: int) -> None:
        """A new plan."""
        self.send(c.DraftPlan(strategy=strategy, rooms=rooms, duration_ms=minutes * 60_000, prompt="Why?"))

    @precondition(lambda self: self.state.breakouts.plan is not None)
    @rule(data=st.data())
    def edits(self, data: st.DataObject) -> None:
        """Everyone is put anywhere, or nowhere."""
        plan = self.state.breakouts.plan
        assert plan is not None
        people = [id_ for id_, person in self.state.participants.items() if person.placement != LOBBY]
        places = data.draw(st.lists(st.integers(-1, 2), min_size=len(people), max_size=len(people)))
        rooms = tuple(
            PlannedRoom(f"Room {n}", tuple(id_ for id_, place in zip(people, places, strict=True) if place == n))
            for n in range(3)
        )
        self.send(c.EditPlan(version=plan.version, rooms=rooms, duration_ms=90_000))

    @precondition(lambda self: self.state.breakouts.plan is not None)
    @rule(lead_ms=LEADS)
    def opens(self, lead_ms: int) -> None:
        """The plan becomes real, perhaps after being announced."""
        plan = self.state.breakouts.plan
        assert plan is not None
        self.send(c.OpenBreakouts(version=plan.version, lead_ms=lead_ms, allow_alone=True))

    @rule(strategy=st.sampled_from(FILLED), rooms=st.integers(1, 3), minutes=st.integers(0, 6), lead_ms=LEADS)
    def drafts_and_opens(self, strategy: AssignmentStrategy, rooms: int, minutes: int, lead_ms: int) -> None:
        """What most moderators do."""
        self.drafts(strategy, rooms, minutes)
        if self.state.breakouts.plan is not None:
            self.opens(lead_ms)

    @precondition(lambda self: self.state.breakouts.rooms)
    @rule(data=st.data(), lead_ms=LEADS)
    def moves(self, data: st.DataObject, lead_ms: int) -> None:
        """A few people, to any place."""
        people = data.draw(st.lists(st.sampled_from(list(self.state.participants)), min_size=1, max_size=3))
        self.send(c.Move(participants=tuple(people), to=self.somewhere(data), lead_ms=lead_ms))

    @precondition(lambda self: self.state.breakouts.rooms)
    @rule(data=st.data())
    def arranges(self, data: st.DataObject) -> None:
        """One of the other changes of rooms."""
        source, target = self.breakout(data), self.breakout(data)
        here = [id_ for id_, person in self.state.participants.items() if person.placement == Placement(source)]
        some = data.draw(st.lists(st.sampled_from(here or [M]), min_size=1, max_size=3))
        commands: list[c.RoomCommand] = [
            c.Swap(first=self.someone(data), second=self.someone(data)),
            c.MergeBreakouts(source=source, target=target),
            c.SplitBreakout(source=source, participants=tuple(some), name="New"),
            c.AddBreakout(name="More"),
            c.RenameBreakout(breakout=source, name="Other"),
            c.CloseBreakout(breakout=source),
            c.ExtendBreakouts(extra_ms=60_000),
            c.Visit(to=self.somewhere(data)),
        ]
        self.send(data.draw(st.sampled_from(commands)))

    @rule(data=st.data())
    def leader_visits(self, data: st.DataObject) -> None:
        """Anybody may try."""
        self.send(c.Visit(to=self.somewhere(data)), actor=self.someone(data))

    @rule(lead_ms=LEADS)
    def closes(self, lead_ms: int) -> None:
        """Now or soon."""
        self.send(c.CloseBreakouts(lead_ms=lead_ms))

    @rule()
    def undoes(self) -> None:
        """The last change, or what was announced."""
        self.send(c.UndoBreakouts())

    @rule(ms=st.sampled_from([1, 2_000, 5_000, 30_000, 120_000]))
    def time_passes(self, ms: int) -> None:
        """The clock is asked, often late. A moderator who was away too long takes a new seat."""
        self.now_ms += ms
        self.apply(decide_timeout(self.state, self.context))
        due = next_timeout(self.state)
        assert due is None or due > self.now_ms
        if M not in self.state.participants:
            self.take_seat(M)

    # -- what holds ----------------------------------------------------------------------------------------------------

    @invariant()
    def everyone_is_somewhere(self) -> None:
        """I1: each person is in the lobby, in main, or in a breakout that is open."""
        rooms = self.state.breakouts.rooms
        places = {LOBBY, MAIN, *(Placement(room.id) for room in rooms)}
        assert {person.placement for person in self.state.participants.values()} <= places
        assert len({room.id for room in rooms}) == len(rooms)

    @invariant()
    def announcements_make_sense(self) -> None:
        """Open only while closed, close and move only while open, moves only to places that are there."""
        breakouts = self.state.breakouts
        places = {MAIN, *(Placement(room.id) for room in breakouts.rooms)}
        for change in breakouts.pending:
            assert (change.kind is PendingKind.OPEN) == (not breakouts.rooms)
            assert change.kind is not PendingKind.MOVE or set(change.moves.values()) <= places
        assert sum(change.kind is not PendingKind.MOVE for change in breakouts.pending) <= 1

    @invariant()
    def closed_means_closed(self) -> None:
        """Without rooms there is no timer; what can be undone is told."""
        breakouts = self.state.breakouts
        assert breakouts.rooms or breakouts.timer is None
        assert breakouts.undoable == (self.state.memo is not None)

    @invariant()
    def leaders_lead_one_room(self) -> None:
        """Nobody leads two breakouts, and no room is led from another breakout."""
        led = [room.leader for room in self.state.breakouts.rooms if room.leader in self.state.participants]
        assert len(set(led)) == len(led)

    # -- machinery -----------------------------------------------------------------------------------------------------

    @property
    def context(self) -> Context:
        """What the next decision is told."""
        return Context(now_ms=self.now_ms, seed=self.now_ms)

    def someone(self, data: st.DataObject) -> ParticipantId:
        """Anybody with a seat."""
        return data.draw(st.sampled_from(list(self.state.participants)))

    def breakout(self, data: st.DataObject) -> BreakoutId:
        """A breakout that is open."""
        return data.draw(st.sampled_from([room.id for room in self.state.breakouts.rooms]))

    def somewhere(self, data: st.DataObject) -> Placement:
        """Main, an open breakout, or one that is not there."""
        rooms = [Placement(room.id) for room in self.state.breakouts.rooms]
        return data.draw(st.sampled_from([MAIN, *rooms, Placement("b0")]))

    def take_seat(self, participant: ParticipantId) -> None:
        """A new connection of this person."""
        self.connections += 1
        command = c.TakeSeat(
            participant=participant,
            name=participant,
            role={"m": Role.MODERATOR, "l": Role.LEADER, "p": Role.PARTICIPANT}[participant[0]],
            connection=ConnectionId(f"c{self.connections}"),
            resume_hash="",
        )
        self.apply(decide(self.state, command, None, self.context))

    def send(self, command: c.RoomCommand, actor: ParticipantId = M) -> None:
        """Decide and apply; a refusal is an answer like any other."""
        self.now_ms += 10
        try:
            events = decide(self.state, command, actor, self.context)
        except CommandRejected:
            return
        before = self.state
        self.apply(events)
        if isinstance(command, c.BreakoutCommand):
            check_one_change(events, command)
            check_undo(before, self.state, events, self.context)

    def apply(self, events: Events) -> None:
        """Fold the events one by one and look at each revision."""
        for event in events:
            before, self.state = self.state, evolve(self.state, event)
            if isinstance(event, ChangeAnnounced):
                self.note_ids({room.id for room in event.change.rooms})
            if isinstance(event, BreakoutsRevised):
                self.look_at(before, event)

    def look_at(self, before: RoomState, event: BreakoutsRevised) -> None:
        """Revisions count up; nobody is lost; moves are real; ids of rooms are new, or were announced or restored."""
        assert event.revision == before.breakouts.revision + 1
        assert self.state.participants.keys() == before.participants.keys()
        was = placements(before)
        assert all(was[id_] not in (to, LOBBY) for id_, to in event.moves.items())
        assert placements(self.state) == was | event.moves
        if event.change is not BreakoutsChange.UNDO:
            fresh = {room.id for room in event.rooms} - {room.id for room in before.breakouts.rooms}
            announced = {room.id for change in before.breakouts.pending for room in change.rooms}
            self.note_ids(fresh - announced)
        if event.change is BreakoutsChange.OPEN:
            check_nobody_is_forgotten(before, self.state, event)

    def note_ids(self, fresh: set[BreakoutId]) -> None:
        """An id is never used twice."""
        assert not fresh & self.ids
        self.ids |= fresh


def check_nobody_is_forgotten(before: RoomState, after: RoomState, event: BreakoutsRevised) -> None:
    """When breakouts open, only those stay in main of whom a moderator has decided so (or who would be alone)."""
    people = [person for person in after.participants.values() if person.role is not Role.MODERATOR]
    left = {person.id for person in people if person.placement == MAIN}
    if not any(person.placement not in (MAIN, LOBBY) for person in people):
        return
    if event.pending is not None:
        (announced,) = before.breakouts.pending
        assert left <= {id_ for id_, to in announced.moves.items() if to == MAIN}
        return
    plan = before.breakouts.plan
    assert plan is not None
    assert not left or plan.strategy is AssignmentStrategy.BY_HAND


def check_one_change(events: Events, command: c.BreakoutCommand) -> None:
    """One revision, one announcement, one extension, or (undo, close) only something taken back."""
    kinds = [event for event in events if isinstance(event, ABOUT_BREAKOUTS)]
    decisive = [event for event in kinds if not isinstance(event, ChangeCancelled)]
    assert len(decisive) <= 1
    assert decisive or not kinds or isinstance(command, c.UndoBreakouts | c.CloseBreakouts)


def check_undo(before: RoomState, after: RoomState, events: Events, ctx: Context) -> None:
    """Undo at once, after taking back what is announced: everyone and everything is where it was."""
    revised = [event.change for event in events if isinstance(event, BreakoutsRevised)]
    if not revised or revised[0] in (BreakoutsChange.UNDO, BreakoutsChange.VISIT):
        return
    for _ in after.breakouts.pending:
        after = fold(after, decide(after, c.UndoBreakouts(), M, ctx))
    undone = fold(after, decide(after, c.UndoBreakouts(), M, ctx))
    assert placements(undone) == placements(before)
    assert undone.breakouts.rooms == before.breakouts.rooms
    assert undone.breakouts.timer == before.breakouts.timer
    assert undone.breakouts.prompt == before.breakouts.prompt


TestBreakouts = pytest.mark.timeout(900)(BreakoutsMachine.TestCase)
