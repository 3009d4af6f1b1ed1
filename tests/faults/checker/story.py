# SPDX-License-Identifier: Apache-2.0
"""A flawless run told in sentences, for the checker's tests to break: a log, and what each client was told of it."""

from __future__ import annotations

from itertools import count

from msgspec.structs import replace

from server.ids import CommandId, ConnectionId, ParticipantId
from server.ports import Entry, Epoch, Seq
from server.rooms.audience import audience_of, viewer_of
from server.rooms.commands import Command, RoomCommand, TakeSeat
from server.rooms.context import Context
from server.rooms.decide import decide
from server.rooms.events import Event
from server.rooms.evolve import evolve
from server.rooms.state import Role, RoomState
from server.rooms.view import view_of
from server.runner.core import ROOM_RULES
from server.runner.steps import key_of
from server.signaling.messages import Events, Ok, RoomMessage, Snapshot, Welcome
from tests.faults.checker.history import Answered, Ended, History, Life, Opening, Record, Run, Sent, Told
from tests.rooms.builders import new_room

SECOND = 1_000


class Story:
    """One room from its first entry on; everybody stays connected unless told otherwise."""

    def __init__(self, epoch: int = 1) -> None:
        self.epoch = Epoch(epoch)
        self.snapshot = self.state = new_room()
        self.entries: list[Entry] = []
        self.past: list[Life] = []
        self.records: dict[ParticipantId, list[Record]] = {}
        self.now_ms = 0
        self._sent: dict[ParticipantId, Seq] = {}
        self._start = 0
        self._numbers = count(1)

    @property
    def seq(self) -> Seq:
        """The present position."""
        return Seq(self._start + len(self.entries))

    # -- what happens --------------------------------------------------------------------------------------------------

    def join(self, person: ParticipantId, role: Role = Role.PARTICIPANT) -> None:
        """Connect, take the seat, and be told everything; also how somebody comes back."""
        connection = ConnectionId(f"c{next(self._numbers)}")
        self._record(person, Opening(self.now_ms, "a", person in self.records))
        self._commit(None, TakeSeat(person, person.title(), role, connection, "hash"), CommandId(f"seat:{connection}"))
        view = view_of(self.state, person)
        self._tell(person, Welcome(person, self.state.id, self.epoch, self.seq, "secret", self.now_ms, view=view))

    def drop(self, person: ParticipantId) -> None:
        """The connection breaks: nothing more is told until they join again."""
        del self._sent[person]
        self._record(person, Ended(self.now_ms, None))

    def do(self, person: ParticipantId, command: RoomCommand) -> CommandId:
        """Send a command that succeeds; returns its id."""
        command_id = CommandId(f"k{next(self._numbers)}")
        self._record(person, Sent(self.now_ms, command_id, command))
        self._commit(person, command, command_id)
        self._record(person, Answered(self.now_ms, command_id, Ok(self.seq)))
        return command_id

    def begin_life(self) -> None:
        """The log is another one from now on, seeded with what was there; everybody is shown it."""
        self.past.append(self.life())
        self.epoch, self._start = Epoch(self.epoch + 1), int(self.seq)
        self.snapshot, self.entries = self.state, []
        for person in self._sent:
            self._tell(person, Snapshot(self.epoch, self.seq, self.now_ms, view_of(self.state, person)))

    # -- what comes of it ----------------------------------------------------------------------------------------------

    def life(self) -> Life:
        """The log of the present epoch."""
        return Life(self.epoch, Seq(self._start), self.snapshot, tuple(self.entries))

    def run(self, *, with_log: bool = True) -> Run:
        """All of it."""
        histories = tuple(History(person, tuple(records)) for person, records in self.records.items())
        return Run(histories=histories, lives=(*self.past, self.life()) if with_log else ())

    # -- details -------------------------------------------------------------------------------------------------------

    def _record(self, person: ParticipantId, record: Record) -> None:
        self.now_ms += SECOND
        self.records.setdefault(person, []).append(record)

    def _tell(self, person: ParticipantId, message: RoomMessage) -> None:
        self._sent[person] = message.to if isinstance(message, Events) else message.seq
        self._record(person, Told(self.now_ms, message))

    def _commit(self, actor: ParticipantId | None, command: Command, command_id: CommandId) -> None:
        events = decide(self.state, command, actor, Context(self.now_ms, self.now_ms))
        entry = Entry(key_of(actor, command_id), self.now_ms, events)
        before, self.state = self.state, ROOM_RULES.fold(self.state, entry, self.seq + 1)
        self.entries.append(entry)
        for person in tuple(self._sent):
            self._pass_on(person, before, events)

    def _pass_on(self, person: ParticipantId, before: RoomState, events: tuple[Event, ...]) -> None:
        viewer = viewer_of(before, person)
        if person not in self.state.participants or viewer is None:
            self._sent.pop(person)
        elif viewer != viewer_of(self.state, person):
            self._tell(person, Snapshot(self.epoch, self.seq, self.now_ms, view_of(self.state, person)))
        else:
            seen, state = [], before
            for event in events:
                state = evolve(state, event)
                if audience_of(event, state).includes(viewer):
                    seen.append(event)
            if seen:
                first = Seq(self._sent[person] + 1)
                self._tell(person, Events(self.epoch, first, self.seq, self.now_ms, tuple(seen)))


def with_records(run: Run, person: ParticipantId, *records: Record) -> Run:
    """The run in which this person went through something else."""
    histories = tuple(replace(h, records=records) if h.person == person else h for h in run.histories)
    return replace(run, histories=histories)


def records_of(run: Run, person: ParticipantId) -> list[Record]:
    """What this person went through."""
    return list(next(history.records for history in run.histories if history.person == person))
