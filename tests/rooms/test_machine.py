# SPDX-License-Identifier: Apache-2.0
"""Everything that people, their connections and the clock can do to a room, in any order.

After every step: the invariants of a room at rest; and for every step: a refusal changes nothing, a decision changes
nothing by itself, replay from the log equals live, revoked rights stay revoked, versions never go back, nobody but
their owner turns a microphone or camera on, and every view is what its audience's events make of it.
"""

from __future__ import annotations

from functools import reduce

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from server.errors import CommandRejected, JoinRefused
from server.ids import LOBBY, MAIN, BreakoutId, ConnectionId, NodeId, ParticipantId, Placement, connection_at, node_of
from server.rooms import commands as c
from server.rooms.audience import audience_of, viewer_of
from server.rooms.commands import Command, RoomCommand
from server.rooms.context import Context, Events
from server.rooms.decide import decide
from server.rooms.events import Event, HardMuteChanged, ParticipantJoined, RoleChanged
from server.rooms.evolve import evolve, fold
from server.rooms.recent import recall, remember
from server.rooms.state import Agreement, AssignmentStrategy, Role, RoomSettings, RoomState, RoomView
from server.rooms.timeouts import decide_timeout, next_timeout
from server.rooms.view import view_of
from tests.rooms import wishes
from tests.rooms.builders import new_room, through_the_wire
from tests.rooms.invariants import check_room
from tests.rooms.mirror import apply, canonical, received
from tests.rooms.privacy import check_heard, check_views
from tests.rooms.wishes import TOKENS

ACTORS = st.integers(min_value=0, max_value=15)
"""Resolved by `actor_for`: half of all wishes come from a moderator, some from somebody who is not there."""


class RoomMachine(RuleBasedStateMachine):
    """One room; every step is a command, a lost or new connection, or time."""

    def __init__(self) -> None:
        super().__init__()
        self.state = new_room(RoomSettings(title="Circle", capacity=7, agreement=Agreement(version=2, text="Kindness")))
        self.replayed = self.state
        self.now_ms = 0
        self.connections = 0
        self.sent: list[tuple[str, int]] = []
        self.mirrors: dict[ParticipantId, RoomView] = {}
        self.rights: dict[ParticipantId, tuple[Role, bool]] = {}

    # -- steps ---------------------------------------------------------------------------------------------------------

    @initialize(present=st.sets(wishes.people, min_size=5))
    def people_come(self, present: set[ParticipantId]) -> None:
        """A moderator and a few others are there from the start."""
        for participant in ["m1", *sorted(present - {"m1"})]:
            self.take_seat(ParticipantId(participant), agreement=2, ticket="", sends=True)
        self.commit(c.Admit(tuple(self.state.participants)), ParticipantId("m1"))

    @rule(participant=wishes.people, agreement=st.sampled_from([2, 2, 2, 1]), ticket=st.sampled_from(["", "", "t1"]))
    def joins(self, participant: ParticipantId, agreement: int, ticket: str) -> None:
        """Comes for the first time, again, or from a second tab."""
        self.take_seat(participant, agreement, ticket, sends=self.connections % 2 == 0)

    @rule(participant=wishes.people, stale=st.booleans())
    def loses_connection(self, participant: ParticipantId, stale: bool) -> None:
        """The connection breaks; or an older one, which has been replaced, is found dead."""
        seat = self.state.seats.get(participant)
        connection = seat.connection if seat and seat.connection and not stale else ConnectionId("older")
        self.commit(c.LoseConnection(participant, connection), None)

    @rule(number=st.integers(0, 2))
    def node_is_lost(self, number: int) -> None:
        """All who speak through one node are lost in one entry, once; nobody else, and nobody loses a seat."""
        node = NodeId(f"n{number}")
        before = {id_: seat.connection for id_, seat in self.state.seats.items() if seat.connection}
        seats = self.state.seats.keys()
        self.commit(c.LoseConnections(node), None)
        after = {id_: seat.connection for id_, seat in self.state.seats.items() if seat.connection}
        assert after == {id_: where for id_, where in before.items() if node_of(where) != node}
        assert self.state.seats.keys() == seats
        assert decide(self.state, c.LoseConnections(node), None, self.context) == ()

    @rule(wished=st.lists(st.tuples(ACTORS, wishes.wishes), min_size=10, max_size=30))
    def people_wish(self, wished: list[tuple[int, RoomCommand]]) -> None:
        """People ask for anything, one after the other."""
        for actor, command in wished:
            self.commit(self.to_the_point(command), self.actor_for(actor))

    @precondition(lambda self: self.state.rounds)
    @rule(wished=st.lists(st.tuples(ACTORS, st.one_of(*wishes.ROUND_WISHES)), min_size=3, max_size=12))
    def people_take_turns(self, wished: list[tuple[int, RoomCommand]]) -> None:
        """In a round: whose turn it is does something, and others do."""
        for actor, command in wished:
            currents = [round_.current for round_ in self.state.rounds.values() if round_.current]
            self.commit(
                command, currents[0] if currents and isinstance(command, c.FinishTurn) else self.actor_for(actor)
            )

    @precondition(lambda self: self.state.breakouts.rooms)
    @rule(move=st.integers(0, 5), data=st.data())
    def moderator_arranges(self, move: int, data: st.DataObject) -> None:
        """A moderator changes the rooms that there are."""
        rooms = [room.id for room in self.state.breakouts.rooms]
        people = [id_ for id_, person in self.state.participants.items() if person.placement not in (LOBBY, MAIN)]
        if not people:
            return
        room, other = data.draw(st.sampled_from(rooms)), data.draw(st.sampled_from(rooms))
        first, second = data.draw(st.sampled_from(people)), data.draw(st.sampled_from(people))
        home = self.state.participants[first].placement
        wishes_of: tuple[Command, ...] = (
            c.Move((first,), Placement(room), lead_ms=5_000),
            c.Swap(first, second),
            c.MergeBreakouts(room, other),
            c.SplitBreakout(BreakoutId(home), (first,), "Quiet corner"),
            c.CloseBreakout(room),
            c.UndoBreakouts(),
        )
        self.commit(wishes_of[move], self.moderator)

    @rule(debrief=st.booleans(), dice=st.integers(0, 19))
    def moderator_ends(self, debrief: bool, dice: int) -> None:
        """Now and then, it is over."""
        if dice == 7:
            self.commit(c.EndSession(debrief), self.moderator)

    @precondition(lambda self: any(person.placement == LOBBY for person in self.state.participants.values()))
    @rule()
    def moderator_admits_all(self) -> None:
        """A moderator lets everyone in."""
        waiting = tuple(id_ for id_, person in self.state.participants.items() if person.placement == LOBBY)
        self.commit(c.Admit(waiting), self.moderator)

    @rule()
    def moderator_goes_on(self) -> None:
        """A moderator begins the next phase."""
        self.commit(c.NextPhase(), self.moderator)

    @precondition(lambda self: not self.state.breakouts.rooms)
    @rule(rooms=st.integers(1, 3), lead_ms=wishes.leads, duration_ms=wishes.durations)
    def moderator_opens(self, rooms: int, lead_ms: int, duration_ms: int) -> None:
        """A moderator drafts a plan and opens it."""
        self.commit(c.DraftPlan(AssignmentStrategy.EVEN, rooms, duration_ms), self.moderator)
        plan = self.state.breakouts.plan
        if plan is not None:
            self.commit(c.OpenBreakouts(plan.version, lead_ms, allow_alone=True), self.moderator)

    @rule(ms=st.sampled_from([1, 5_000, 20_000, 61_000, 400_000]))
    def time_passes(self, ms: int) -> None:
        """A while later, everything that has become due is asked for, perhaps late."""
        self.now_ms += ms
        events = self.decided(decide_timeout(self.state, self.context))
        due = next_timeout(self.state)
        early = due is not None and due > self.now_ms
        assert events or early or due is None
        self.apply(events, None, None)
        later = next_timeout(self.state)
        assert later is None or later > self.now_ms
        assert decide_timeout(self.state, self.context) == ()

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def retries(self, data: st.DataObject) -> None:
        """I7: a command that is sent again is known, with its place in the log, and is not decided again."""
        key, seq = data.draw(st.sampled_from(self.sent[-20:]))
        assert recall(self.state, key) == seq

    # -- what holds ----------------------------------------------------------------------------------------------------

    @invariant()
    def room_is_sound(self) -> None:
        """See `invariants`."""
        check_room(self.state)
        check_views(self.state)

    @invariant()
    def nobody_regained_a_right(self) -> None:
        """I5: roles and hard mutes are what was last decided, however often people left and came back."""
        for id_, person in self.state.participants.items():
            assert (person.role, person.hard_muted) == self.rights[id_]

    @invariant()
    def replay_equals_live(self) -> None:
        """A node that only reads the log has the same room."""
        assert self.replayed == self.state

    # -- machinery -----------------------------------------------------------------------------------------------------

    @property
    def moderator(self) -> ParticipantId:
        """Somebody who is a moderator now; if nobody is, the first one comes back when they can."""
        moderators = [id_ for id_, person in self.state.participants.items() if person.role is Role.MODERATOR]
        if not moderators:
            self.take_seat(ParticipantId("m1"), agreement=2, ticket="", sends=True)
        return moderators[0] if moderators else ParticipantId("m1")

    def actor_for(self, number: int) -> ParticipantId:
        """Even: a moderator; odd: the others in turn; 15: somebody who is not there."""
        if number % 2 == 0:
            return self.moderator
        others = list(self.state.participants)
        return others[number // 2 % len(others)] if others and number != 15 else ParticipantId("nobody")

    def to_the_point(self, command: RoomCommand) -> RoomCommand:
        """Half of the edits know what they edit."""
        if isinstance(command, c.EditAgenda) and command.version % 2:
            return c.EditAgenda(self.state.agenda.version, command.phases)
        plan = self.state.breakouts.plan
        if isinstance(command, c.EditPlan) and plan and command.version % 2:
            return c.EditPlan(plan.version, command.rooms, command.duration_ms)
        return command

    @property
    def context(self) -> Context:
        """What the next decision is told."""
        return Context(now_ms=self.now_ms, seed=self.now_ms)

    def take_seat(self, participant: ParticipantId, agreement: int, ticket: str, *, sends: bool) -> None:
        """A new connection asks for the seat."""
        self.connections += 1
        command = c.TakeSeat(
            participant=participant,
            name=participant,
            role=TOKENS[participant],
            connection=connection_at(NodeId(f"n{self.connections % 3}"), str(self.connections)),
            resume_hash="hash",
            agreement=agreement,
            ticket=ticket,
            microphone=sends,
            camera=sends,
        )
        self.commit(command, None)

    def commit(self, command: Command, actor: ParticipantId | None) -> None:
        """Decide as the room's runner does, and check what the decision was allowed to do."""
        self.now_ms += 100
        before = canonical(self.state)
        try:
            events = decide(self.state, command, actor, self.context)
        except (CommandRejected, JoinRefused):
            assert canonical(self.state) == before
            return
        assert canonical(self.state) == before
        self.apply(self.decided(events), command, actor)
        key, seq = f"{actor}:{len(self.sent)}", len(self.sent)
        self.sent.append((key, seq))
        self.state = remember(self.state, key, seq)
        self.replayed = remember(self.replayed, key, seq)

    def decided(self, events: Events) -> Events:
        """The events as the log gives them back."""
        assert through_the_wire(events) == events
        return events

    def apply(self, events: Events, command: Command | None, actor: ParticipantId | None) -> None:
        """Fold the events here and at a node that reads the log, looking at every step of it."""
        before = self.state
        for event in events:
            after = evolve(self.state, event)
            self.note_rights(event)
            check_commutes(self.state, event, after)
            self.state = after
        self.replayed = fold(self.replayed, through_the_wire(events))
        self.deliver(before, events)
        check_monotone(before, self.state)
        check_devices(before, self.state, command, actor)

    def deliver(self, before: RoomState, events: Events) -> None:
        """Give everyone what they receive of this entry; folded, it must be their view."""
        for id_ in self.state.participants:
            heard = received(before, events, id_)
            assert heard is not None
            if not isinstance(heard, RoomView):
                check_heard(before, id_, heard)
            self.mirrors[id_] = heard if isinstance(heard, RoomView) else reduce(apply, heard, self.mirrors[id_])
            assert self.mirrors[id_] == view_of(self.state, id_)

    def note_rights(self, event: Event) -> None:
        """The model: a role comes from the first token, and after that from moderators alone."""
        match event:
            case ParticipantJoined(participant=person):
                self.rights.setdefault(person.id, (TOKENS[person.id], False))
            case RoleChanged():
                self.rights[event.participant] = (event.role, self.rights[event.participant][1])
            case HardMuteChanged():
                self.rights[event.participant] = (self.rights[event.participant][0], event.on)
            case _:
                pass


def check_commutes(before: RoomState, event: Event, after: RoomState) -> None:
    """Folding an event into a view gives the view of the new state; whoever does not hear it has missed nothing."""
    audience = audience_of(event, after)
    for participant in before.participants:
        viewer = viewer_of(before, participant)
        assert viewer is not None
        if viewer != viewer_of(after, participant):
            continue
        seen = view_of(before, participant)
        assert (apply(seen, event) if audience.includes(viewer) else seen) == view_of(after, participant)


def check_monotone(before: RoomState, after: RoomState) -> None:
    """I4: nothing that only rises ever falls; who was removed stays removed."""
    assert after.breakouts.revision >= before.breakouts.revision
    assert after.agenda.version >= before.agenda.version
    assert after.removed >= before.removed
    assert after.used_tickets >= before.used_tickets
    assert after.next_breakout >= before.next_breakout
    assert after.next_message >= before.next_message
    for id_ in before.seats.keys() & after.seats.keys():
        assert after.seats[id_].generation >= before.seats[id_].generation


def check_devices(before: RoomState, after: RoomState, command: Command | None, actor: ParticipantId | None) -> None:
    """Microphones and cameras go on by their owner's own press alone; a move changes neither."""
    for id_ in before.participants.keys() & after.participants.keys():
        old, new = before.participants[id_], after.participants[id_]
        assert not (new.microphone and not old.microphone) or (actor == id_ and command == c.SetMicrophone(on=True))
        assert not (new.camera and not old.camera) or (actor == id_ and command == c.SetCamera(on=True))
        if old.placement != new.placement:
            assert (old.microphone, old.camera, old.hard_muted) == (new.microphone, new.camera, new.hard_muted)
    for id_ in after.participants.keys() - before.participants.keys():
        assert not after.participants[id_].microphone
        assert not after.participants[id_].camera


TestRoom = RoomMachine.TestCase
pytestmark = pytest.mark.timeout(3_600)
"""Two thousand histories take their time."""
