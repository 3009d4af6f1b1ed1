# SPDX-License-Identifier: Apache-2.0
"""A room told in sentences: `Session().join(...)`, `session.do(actor, command)`, `session.pass_time(ms)`."""

from __future__ import annotations

from typing import Final

import msgspec
import pytest

from server.errors import CommandRejected, DisconnectCode, JoinRefused, RejectCode
from server.ids import LOBBY, MAIN, ConnectionId, ParticipantId, PhaseId, RoomId
from server.rooms.commands import Admit, Command, LoseConnection, TakeSeat
from server.rooms.context import Context, Events
from server.rooms.decide import decide
from server.rooms.events import Event, RoomOpened
from server.rooms.evolve import fold, opened
from server.rooms.phases import Phase, PhaseKind, RoundPlan
from server.rooms.state import Agenda, Participant, Role, RoomSettings, RoomState
from server.rooms.timeouts import decide_timeout, next_timeout

ANA: Final = ParticipantId("ana")
BEN: Final = ParticipantId("ben")
CLEO: Final = ParticipantId("cleo")
DAN: Final = ParticipantId("dan")
LEA: Final = ParticipantId("lea")
MOD: Final = ParticipantId("mod")

MINUTE: Final = 60_000

CHECK_IN: Final = Phase(PhaseId("check-in"), PhaseKind.CHECK_IN, "Check-in", round=RoundPlan(), duration_ms=10 * MINUTE)
TOPIC: Final = Phase(PhaseId("topic"), PhaseKind.TOPIC, "Topic", duration_ms=2 * MINUTE)
BREAKOUTS: Final = Phase(PhaseId("breakouts"), PhaseKind.BREAKOUTS, "Small groups")
CLOSE: Final = Phase(PhaseId("close"), PhaseKind.CLOSE, "Close")
AGENDA: Final = Agenda(version=1, phases=(CHECK_IN, TOPIC, BREAKOUTS, CLOSE))

EVENTS: Final = msgspec.msgpack.Decoder(tuple[Event, ...])


def new_room(settings: RoomSettings | None = None, agenda: Agenda = AGENDA) -> RoomState:
    """A room that has just been opened."""
    return opened(RoomOpened(RoomId("room"), settings or RoomSettings(title="Tuesday circle"), agenda, at_ms=0))


def through_the_wire(events: Events) -> Events:
    """The events as another node reads them from the log."""
    return EVENTS.decode(msgspec.msgpack.encode(events))


class Session:
    """A room and its time; each command takes a second."""

    def __init__(self, settings: RoomSettings | None = None, agenda: Agenda = AGENDA) -> None:
        self.state = new_room(settings, agenda)
        self.now_ms = 0
        self.history: list[tuple[RoomState, Events]] = []
        """Every entry that was committed, with the state before it."""
        self._connections = 0

    @property
    def context(self) -> Context:
        """What the next decision is told."""
        return Context(now_ms=self.now_ms, seed=self.now_ms)

    def person(self, participant: ParticipantId) -> Participant:
        """Somebody who is in the room."""
        return self.state.participants[participant]

    def do(self, actor: ParticipantId | None, command: Command) -> Events:
        """Send a command that succeeds; returns its events."""
        self.now_ms += 1_000
        return self._commit(decide(self.state, command, actor, self.context))

    def refused(self, actor: ParticipantId | None, command: Command) -> RejectCode:
        """Send a command that is refused; returns why."""
        with pytest.raises(CommandRejected) as refusal:
            self.do(actor, command)
        return refusal.value.code

    def seat(self, participant: ParticipantId, role: Role = Role.PARTICIPANT, **claims: object) -> TakeSeat:
        """The command by which this person's next connection asks for their seat."""
        self._connections += 1
        defaults = {
            "participant": participant,
            "name": participant.title(),
            "role": role,
            "connection": ConnectionId(f"connection-{self._connections}"),
            "resume_hash": "hash",
        }
        return msgspec.convert({**defaults, **claims, "type": "take_seat"}, TakeSeat)

    def knock(self, participant: ParticipantId, role: Role = Role.PARTICIPANT, **claims: object) -> Events:
        """Take a seat, in the lobby for most people."""
        return self.do(None, self.seat(participant, role, **claims))

    def turned_away(
        self, participant: ParticipantId, role: Role = Role.PARTICIPANT, **claims: object
    ) -> DisconnectCode:
        """Ask for a seat and be refused; returns why."""
        with pytest.raises(JoinRefused) as refusal:
            self.knock(participant, role, **claims)
        return refusal.value.code

    def join(self, *people: ParticipantId, role: Role = Role.PARTICIPANT) -> None:
        """Take a seat and be admitted by whichever moderator is there."""
        for participant in people:
            self.knock(participant, role)
            if self.person(participant).placement == LOBBY:
                moderators = (one.id for one in self.state.participants.values() if one.role is Role.MODERATOR)
                self.do(next(moderators), Admit((participant,)))

    def lose(self, participant: ParticipantId) -> Events:
        """Their connection breaks."""
        connection = self.state.seats[participant].connection
        assert connection is not None
        return self.do(None, LoseConnection(participant, connection))

    def pass_time(self, ms: int) -> Events:
        """Let time go by, with every time-out asked for when it is due; returns all their events."""
        end = self.now_ms + ms
        happened: list[Event] = []
        while (due := next_timeout(self.state)) is not None and due <= end:
            self.now_ms = due
            happened += self._commit(decide_timeout(self.state, self.context))
        self.now_ms = end
        return tuple(happened)

    def _commit(self, events: Events) -> Events:
        self.history.append((self.state, events))
        self.state = fold(self.state, events)
        return events


def circle(*people: ParticipantId) -> Session:
    """A session with a moderator and these people in main, not yet begun."""
    session = Session()
    session.join(MOD, role=Role.MODERATOR)
    session.join(*people)
    assert all(person.placement == MAIN for person in session.state.participants.values())
    return session
