# SPDX-License-Identifier: Apache-2.0
"""I6: what was acknowledged is kept. I7: a command has one effect, however often it was sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from msgspec import Struct

from server.ids import CommandId, ParticipantId
from server.rooms.commands import RoomCommand, SendChat
from server.rooms.events import ChatSent
from server.rooms.recent import recall
from server.runner.steps import key_of
from server.signaling.messages import Ok, Snapshot
from tests.faults.checker.history import Answered, Ended, Life, Opening, Run, Sent, Told
from tests.faults.checker.replay import Step
from tests.faults.checker.words import Invariant, Violation, Witness


def check(run: Run, seen: tuple[Witness, ...]) -> Iterator[Violation]:
    """Against the log where there is one, else against what everybody saw."""
    if run.lives:
        for witness in seen:
            yield from _not_in_log(run.lives, witness)
        yield from _twice_in_log(run.lives)
    else:
        yield from _unseen_chat(seen)
    yield from _chat_twice(seen)
    for witness in seen:
        yield from _shown_twice(witness)


class Done(Struct, frozen=True):
    """An `ok` that stands for an entry of the log.

    `unbroken`: it came over the connection of the first sending, and nothing was shown anew in between, as to somebody
    who is moved elsewhere.
    """

    epoch: int
    seq: int
    id: CommandId
    command: object
    unbroken: bool


def done(witness: Witness) -> Iterator[Done]:
    """Everything this client was told is done."""
    commands: dict[CommandId, object] = {}
    broken: set[CommandId] = set()
    epoch = 0
    for record in witness.history.records:
        match record:
            case Told(message=message):
                epoch = message.epoch
                broken |= commands.keys() if isinstance(message, Snapshot) else set()
            case Sent():
                commands[record.id] = record.command
            case Ended() | Opening():
                broken |= commands.keys()
            case Answered(answer=Ok(seq=seq)) if isinstance(commands[record.id], RoomCommand):
                yield Done(epoch, seq, record.id, commands[record.id], record.id not in broken)
            case _:
                continue


def _not_in_log(lives: tuple[Life, ...], witness: Witness) -> Iterator[Violation]:
    for one in done(witness):
        key = key_of(witness.person, one.id)
        if all(life.epoch < one.epoch for life in lives):
            yield Violation(Invariant.ACKED_KEPT, f"{key}: acknowledged in epoch {one.epoch}, unknown to the log")
        for life in (life for life in lives if life.epoch >= one.epoch):
            if life is not lives[-1] and one.epoch == life.epoch and one.seq > life.start + len(life.entries):
                continue  # the life ended before it could be read: what counts is whether the next one has it
            if not _holds(life, key, one.seq if life.epoch == one.epoch else None):
                where = f"acknowledged at {one.epoch}-{one.seq}, not in {life.epoch}"
                yield Violation(Invariant.ACKED_KEPT, f"{key}: {where}")


def _holds(life: Life, key: str, seq: int | None) -> bool:
    """Whether this life has the command, at this position if one is given."""
    if recall(life.snapshot, key) is not None:
        return True
    if seq is not None and seq > life.start:
        place = seq - life.start - 1
        return place < len(life.entries) and life.entries[place].command == key
    return any(entry.command == key for entry in life.entries)


def _twice_in_log(lives: tuple[Life, ...]) -> Iterator[Violation]:
    for life in lives:
        counts = Counter(entry.command for entry in life.entries)
        counts.update(key for key in tuple(counts) if recall(life.snapshot, key) is not None)
        for key, count in counts.items():
            if count > 1:
                yield Violation(Invariant.ONCE, f"{key}: {count} entries in epoch {life.epoch}")


# -- told by chat, whose texts are unique ------------------------------------------------------------------------------


def _chats(witness: Witness) -> Iterator[tuple[ParticipantId, str, int]]:
    """Who said what, and its number, wherever this client saw it."""
    for sight in witness.sights:
        for event in sight.events:
            if isinstance(event, ChatSent):
                yield event.message.participant, event.message.text, event.message.id
        if sight.step is Step.SHOWN and sight.view is not None:
            for messages in sight.view.chat.values():
                for message in messages:
                    yield message.participant, message.text, message.id


def _unseen_chat(seen: tuple[Witness, ...]) -> Iterator[Violation]:
    """`ok` follows the events: an author who stayed has seen the own message."""
    told = {(who, text) for witness in seen for who, text, _ in _chats(witness)}
    for witness in seen:
        for one in done(witness):
            command = one.command
            if one.unbroken and isinstance(command, SendChat) and (witness.person, command.text) not in told:
                where = f"acknowledged at {one.epoch}-{one.seq}, seen by nobody"
                yield Violation(Invariant.ACKED_KEPT, f"{one.id}: {where}")


def _chat_twice(seen: tuple[Witness, ...]) -> Iterator[Violation]:
    """A text that was sent under one id alone stands in the room once."""
    ids: dict[tuple[ParticipantId, str], set[CommandId]] = {}
    for witness in seen:
        for record in witness.history.records:
            if isinstance(record, Sent) and isinstance(record.command, SendChat):
                ids.setdefault((witness.person, record.command.text), set()).add(record.id)
    numbers: dict[tuple[ParticipantId, str], set[int]] = {}
    for witness in seen:
        for who, text, number in _chats(witness):
            numbers.setdefault((who, text), set()).add(number)
    for chat, known in sorted(numbers.items()):
        if len(ids.get(chat, ())) == 1 and len(known) > 1:
            yield Violation(Invariant.ONCE, f"{chat[0]}: one message stands there {len(known)} times")


def _shown_twice(witness: Witness) -> Iterator[Violation]:
    """No event is applied a second time."""
    numbers = Counter(
        (sight.position[0], event.message.id)
        for sight in witness.sights
        for event in sight.events
        if isinstance(event, ChatSent)
    )
    for (_, number), count in numbers.items():
        if count > 1:
            yield Violation(Invariant.ONCE, f"{witness.person}: message {number} was applied {count} times")
