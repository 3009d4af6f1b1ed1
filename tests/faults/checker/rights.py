# SPDX-License-Identifier: Apache-2.0
"""I5: who was removed, demoted or muted never regains the right by a fault; and the older tab stays silent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from server.ids import CommandId, ParticipantId
from server.rooms import commands as c
from server.rooms import events as e
from server.rooms.events import Event
from server.rooms.state import Role, RoomState
from server.signaling.messages import Ok, Welcome
from tests.faults.checker.history import Answered, History, Run, Sent, Told
from tests.faults.checker.replay import Position
from tests.faults.checker.words import Invariant, Violation, Witness, states

RANK: Final = {Role.PARTICIPANT: 0, Role.LEADER: 1, Role.MODERATOR: 2}


class Ruling(Struct, frozen=True, order=True):
    """What a person may be at most from this position on."""

    position: Position
    person: ParticipantId
    removed: bool = False
    rank: int | None = None
    hard_muted: bool | None = None


def check(run: Run, seen: tuple[Witness, ...]) -> Iterator[Violation]:
    """Revocations, microphones, and second tabs."""
    yield from _regained(run, seen)
    yield from _banned_forgotten(run)
    for witness in seen:
        yield from _unasked(witness)
    yield from _older_tab(seen)


def _regained(run: Run, seen: tuple[Witness, ...]) -> Iterator[Violation]:
    """At every later position, in every view and in the log, the ruling holds."""
    rulings = sorted(_rulings(run, seen), key=lambda ruling: ruling.position)
    looks: list[tuple[Position, str, RoomState]] = [
        (sight.position, witness.person, sight.view)
        for witness in seen
        for sight in witness.sights
        if sight.view is not None
    ]
    looks += [((life.epoch, seq), "the log", state) for life in run.lives for seq, state in states(life)]
    standing = _Standing()
    for position, who, view in sorted(looks, key=lambda look: look[0]):
        while rulings and rulings[0].position <= position:
            standing.rule(rulings.pop(0))
        for breach in standing.breaches(view):
            yield Violation(Invariant.REVOKED, f"{who} at {position}: {breach}")


class _Standing:
    """What holds at one position."""

    def __init__(self) -> None:
        self._removed: set[ParticipantId] = set()
        self._rank: dict[ParticipantId, int] = {}
        self._muted: dict[ParticipantId, bool] = {}

    def rule(self, ruling: Ruling) -> None:
        if ruling.removed:
            self._removed.add(ruling.person)
        if ruling.rank is not None:
            self._rank[ruling.person] = ruling.rank
        if ruling.hard_muted is not None:
            self._muted[ruling.person] = ruling.hard_muted

    def breaches(self, view: RoomState) -> Iterator[str]:
        for person in view.participants.values():
            if person.id in self._removed:
                yield f"{person.id} was removed and is here"
            if RANK[person.role] > self._rank.get(person.id, RANK[Role.MODERATOR]):
                yield f"{person.id} was demoted and is {person.role}"
            if self._muted.get(person.id, False) and not person.hard_muted:
                yield f"{person.id} was muted and is not"


def _rulings(run: Run, seen: tuple[Witness, ...]) -> Iterator[Ruling]:
    for life in run.lives:
        for seq, entry in enumerate(life.entries, life.start + 1):
            for event in entry.events:
                yield from _told_by((life.epoch, seq), event)
    for witness in seen:
        for sight in witness.sights:
            for event in sight.events:
                yield from _told_by(sight.position, event)
        yield from _acknowledged(witness)


def _told_by(position: Position, event: Event) -> Iterator[Ruling]:
    match event:
        case e.ParticipantLeft(participant=person, reason=e.LeaveReason.REMOVED):
            yield Ruling(position, person, removed=True)
        case e.RoleChanged(participant=person, role=role):
            yield Ruling(position, person, rank=RANK[role])
        case e.HardMuteChanged(participant=person, on=on):
            yield Ruling(position, person, hard_muted=on)
        case _:
            return


def _acknowledged(witness: Witness) -> Iterator[Ruling]:
    """A moderator who was told `ok` relies on it."""
    for epoch, seq, command in acknowledged(witness):
        match command:
            case c.Remove(participant=person):
                yield Ruling((epoch, seq), person, removed=True)
            case c.SetRole(participant=person, role=role):
                yield Ruling((epoch, seq), person, rank=RANK[role])
            case c.SetHardMute(participant=person, on=on):
                yield Ruling((epoch, seq), person, hard_muted=on)
            case _:
                continue


def acknowledged(witness: Witness) -> Iterator[tuple[int, int, object]]:
    """Epoch, seq and command of all that this client was told is done."""
    commands: dict[CommandId, object] = {}
    epoch = 0
    for record in witness.history.records:
        match record:
            case Told(message=message):
                epoch = message.epoch
            case Sent():
                commands[record.id] = record.command
            case Answered(answer=Ok(seq=seq)):
                yield epoch, seq, commands[record.id]
            case _:
                continue


def _banned_forgotten(run: Run) -> Iterator[Violation]:
    """The list of those who may not come back only grows, also into another life of the room."""
    removed: frozenset[ParticipantId] = frozenset()
    for life in run.lives:
        for seq, state in states(life):
            for person in sorted(removed - state.removed):
                yield Violation(Invariant.REVOKED, f"log {life.epoch}-{seq}: forgot that {person} was removed")
            removed |= state.removed


def _unasked(witness: Witness) -> Iterator[Violation]:
    """A microphone or camera goes on by the person's own press alone."""
    for sight in witness.sights:
        for event in sight.events:
            if isinstance(event, e.MicrophoneChanged | e.CameraChanged) and event.on and event.by != event.participant:
                yield Violation(Invariant.REVOKED, f"{sight.position}: {event.by} turned on {event.participant}")


def _older_tab(seen: tuple[Witness, ...]) -> Iterator[Violation]:
    """Once another connection has the seat, nothing that the one before says has an effect, whenever it was said."""
    for witness in seen:
        others = [tab for tab in seen if tab.person == witness.person and tab is not witness]
        theirs = sorted(taken for tab in others for taken in _taken(tab.history))
        sent_by_others = {r.id for tab in others for r in tab.history.records if isinstance(r, Sent)}
        mine: Position = (0, 0)
        for record in witness.history.records:
            if isinstance(record, Told):
                if isinstance(record.message, Welcome):
                    mine = (record.message.epoch, record.message.seq)
                continue
            if not isinstance(record, Answered) or not isinstance(record.answer, Ok) or record.id in sent_by_others:
                continue
            done = (mine[0], int(record.answer.seq))
            if any(mine < taken < done and taken[0] == done[0] for taken in theirs):
                yield Violation(Invariant.REVOKED, f"{witness.person}: an older tab acted at {done}")


def _taken(history: History) -> Iterator[Position]:
    """Where the log stood at each Welcome."""
    for record in history.records:
        if isinstance(record, Told) and isinstance(record.message, Welcome):
            yield record.message.epoch, record.message.seq
