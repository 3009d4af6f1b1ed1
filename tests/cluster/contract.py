# SPDX-License-Identifier: Apache-2.0
"""What every room log promises, as functions over a way to get one. Each adapter runs all of them.

`connect` gives a log as one node has it; two of them share their rooms.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import pytest
from msgspec.structs import replace

from server.ids import ParticipantId, RoomId
from server.ports import (
    Appended,
    Conflict,
    Duplicates,
    Entry,
    Epoch,
    EpochChanged,
    Loaded,
    LogUnavailable,
    RoomLog,
    Seq,
    Trimmed,
)
from server.rooms.events import HandLowered
from tests.cluster.heard import Heard
from tests.runner.toys import FIRST


class Connect(Protocol):
    """Gives a log as one node has it."""

    def __call__(self) -> RoomLog:
        """Another node's."""

    async def settle(self) -> None:
        """Return when what was subscribed to can come."""


Promise = Callable[[Connect], Awaitable[None]]
CONTRACT: Final[list[Promise]] = []

ROOM: Final = RoomId("one")
OTHER: Final = RoomId("two")
LATER: Final = replace(FIRST, spotlight=ParticipantId("a"))


def name_of(promise: Promise) -> str:
    """How pytest calls it."""
    return getattr(promise, "__name__", repr(promise))


def promise(function: Promise) -> Promise:
    """Make this part of the contract."""
    CONTRACT.append(function)
    return function


def entry(command: str, at_ms: int = 0) -> Entry:
    """An entry that differs from others in every field."""
    return Entry(command, at_ms, (HandLowered(ParticipantId(command), ParticipantId("by")),))


A, B, C, D = map(entry, ("a:1", "b:1", "c:1", "d:1"))


async def opened(log: RoomLog, *entries: Entry) -> Epoch:
    """A room with these entries; gives its epoch."""
    epoch = (await log.create(ROOM, FIRST)).epoch
    if entries:
        assert await log.append(ROOM, epoch, Seq(0), entries) == Appended()
    return epoch


async def state_of(log: RoomLog, room: RoomId = ROOM) -> Loaded:
    """What is there."""
    loaded = await log.load(room)
    assert loaded is not None
    return loaded


@promise
async def an_unknown_room_is_none(connect: Connect) -> None:
    """Nothing is made by asking; epoch 0 says that there is nothing to append to or to read."""
    log = connect()
    assert await log.load(ROOM) is None
    assert await log.append(ROOM, Epoch(1), Seq(0), (A,)) == EpochChanged(Epoch(0))
    assert await log.read(ROOM, Epoch(1), Seq(0)) == EpochChanged(Epoch(0))
    assert await log.load(ROOM) is None


@promise
async def create_starts_a_log(connect: Connect) -> None:
    """At position 0, with the given state."""
    loaded = await connect().create(ROOM, FIRST)
    assert loaded == Loaded(loaded.epoch, Seq(0), FIRST, (), 0)
    assert loaded.epoch > 0


@promise
async def create_keeps_what_is_there(connect: Connect) -> None:
    """The second to create gets the room as it stands; all who race get the same life."""
    first, second = connect(), connect()
    epoch = await opened(first, A)
    assert await second.create(ROOM, LATER) == Loaded(epoch, Seq(0), FIRST, (A,))
    raced = await asyncio.gather(*(log.create(OTHER, FIRST) for log in (first, second, first)))
    assert raced[0] == raced[1] == raced[2]


@promise
async def appended_entries_are_read_in_order(connect: Connect) -> None:
    """By all nodes, from any position, with every field as it was."""
    log, reader = connect(), connect()
    epoch = await opened(log, A, B)
    assert await log.append(ROOM, epoch, Seq(2), (entry("c:2", 7),)) == Appended()
    assert await reader.read(ROOM, epoch, Seq(0)) == (A, B, entry("c:2", 7))
    assert await reader.read(ROOM, epoch, Seq(2)) == (entry("c:2", 7),)
    assert await reader.read(ROOM, epoch, Seq(3)) == ()
    assert (await state_of(reader)).entries == (A, B, entry("c:2", 7))


@promise
async def a_stale_position_conflicts(connect: Connect) -> None:
    """Nothing is stored, and the writer learns what was missed."""
    log = connect()
    epoch = await opened(log, A, B)
    assert await log.append(ROOM, epoch, Seq(1), (C, D)) == Conflict((B,))
    assert await log.append(ROOM, epoch, Seq(0), (C,)) == Conflict((A, B))
    assert await log.read(ROOM, epoch, Seq(0)) == (A, B)


@promise
async def a_position_ahead_of_the_log_conflicts(connect: Connect) -> None:
    """Who believes in entries that are not there is refused; nothing is missing, and reading says to load anew."""
    log = connect()
    epoch = await opened(log, A)
    assert await log.append(ROOM, epoch, Seq(2), (C,)) == Conflict(())
    assert await log.read(ROOM, epoch, Seq(2)) == Trimmed()
    assert await log.read(ROOM, epoch, Seq(0)) == (A,)


@promise
async def of_many_writers_one_wins(connect: Connect) -> None:
    """At each position exactly one batch is stored; all others are told of it."""
    logs = [connect() for _ in range(4)]
    epoch = await opened(logs[0])
    batches = [(entry(f"{i}:1"), entry(f"{i}:2")) for i in range(8)]
    outcomes = await asyncio.gather(
        *(logs[i % 4].append(ROOM, epoch, Seq(0), batch) for i, batch in enumerate(batches))
    )
    winners = [batch for batch, outcome in zip(batches, outcomes, strict=True) if outcome == Appended()]
    assert len(winners) == 1
    assert [outcome for outcome in outcomes if outcome != Appended()] == [Conflict(winners[0])] * 7
    assert await logs[1].read(ROOM, epoch, Seq(0)) == winners[0]


@promise
async def a_known_command_is_not_stored_again(connect: Connect) -> None:
    """The writer learns where it is."""
    log = connect()
    epoch = await opened(log, A, B)
    again = Entry(B.command, 9, ())
    assert await log.append(ROOM, epoch, Seq(2), (again,)) == Duplicates((Seq(2),))
    assert await log.read(ROOM, epoch, Seq(0)) == (A, B)


@promise
async def a_duplicate_holds_back_its_batch(connect: Connect) -> None:
    """What came with it was decided as if it had not happened, so none of it is stored."""
    log = connect()
    epoch = await opened(log, A, B)
    assert await log.append(ROOM, epoch, Seq(2), (C, A, D, B)) == Duplicates((None, Seq(1), None, Seq(2)))
    assert await log.read(ROOM, epoch, Seq(0)) == (A, B)
    assert await log.append(ROOM, epoch, Seq(2), (C, D)) == Appended()


@promise
async def position_is_checked_before_commands(connect: Connect) -> None:
    """A stale writer gets the entries it missed, its own among them."""
    log = connect()
    epoch = await opened(log, A, B)
    assert await log.append(ROOM, epoch, Seq(0), (A, B)) == Conflict((A, B))


@promise
async def commands_belong_to_their_room(connect: Connect) -> None:
    """The same key in two rooms is two commands; positions are counted apart."""
    log = connect()
    await opened(log, A, B)
    other = await log.create(OTHER, FIRST)
    assert await log.append(OTHER, other.epoch, Seq(0), (A,)) == Appended()
    assert await log.read(OTHER, other.epoch, Seq(0)) == (A,)


@promise
async def another_epoch_is_refused(connect: Connect) -> None:
    """Epoch is checked before all else; the answer names the present one."""
    log = connect()
    epoch = await opened(log, A)
    for wrong in (Epoch(epoch - 1), Epoch(epoch + 1)):
        assert await log.append(ROOM, wrong, Seq(1), (B,)) == EpochChanged(epoch)
        assert await log.append(ROOM, wrong, Seq(0), (A,)) == EpochChanged(epoch)
        assert await log.read(ROOM, wrong, Seq(0)) == EpochChanged(epoch)
    assert await log.read(ROOM, epoch, Seq(0)) == (A,)


@promise
async def a_snapshot_replaces_the_one_before(connect: Connect) -> None:
    """A room is loaded from it; entries before it can still be read for a while."""
    log = connect()
    epoch = await opened(log, A)
    assert await log.append(ROOM, epoch, Seq(1), (entry("b:1", 5),), LATER) == Appended()
    last = entry("c:1", 6)
    assert await log.append(ROOM, epoch, Seq(2), (last,)) == Appended()
    assert await state_of(log) == Loaded(epoch, Seq(2), LATER, (last,), 5)
    assert await log.read(ROOM, epoch, Seq(0)) == (A, entry("b:1", 5), last)


@promise
async def a_refused_batch_leaves_the_snapshot(connect: Connect) -> None:
    """All or nothing counts for the snapshot too."""
    log = connect()
    epoch = await opened(log, A)
    for position, batch in ((Seq(0), (B,)), (Seq(1), (A,))):
        await log.append(ROOM, epoch, position, batch, LATER)
    assert await state_of(log) == Loaded(epoch, Seq(0), FIRST, (A,))


@promise
async def old_entries_are_trimmed(connect: Connect) -> None:
    """Memory is bounded: who lags too far is told to load anew, and a conflict may be cut short."""
    log = connect()
    epoch = await opened(log)
    seq, state = 0, FIRST
    while await log.read(ROOM, epoch, Seq(0)) != Trimmed():
        batch = tuple(entry(f"a:{seq + i}") for i in range(64))
        state = replace(state, next_message=seq + 64)
        assert await log.append(ROOM, epoch, Seq(seq), batch, state) == Appended()
        seq += 64
        assert seq < 20_000
    assert await log.append(ROOM, epoch, Seq(0), (B,)) == Conflict(())
    assert await log.append(ROOM, epoch, Seq(seq - 1), (B,)) == Conflict((entry(f"a:{seq - 1}"),))
    assert await log.append(ROOM, epoch, Seq(seq), (entry("a:0"),)) == Duplicates((Seq(1),))
    assert await state_of(log) == Loaded(epoch, Seq(seq), state, ())


@promise
async def log_time_does_not_go_back(connect: Connect) -> None:
    """Neither below the entry before, nor within a batch; nothing is stored then."""
    log = connect()
    epoch = await opened(log, A, entry("b:1", 7))
    for batch in ((entry("c:1", 6),), (entry("c:1", 8), entry("d:1", 7))):
        with pytest.raises(LogUnavailable):
            await log.append(ROOM, epoch, Seq(2), batch)
    assert await log.append(ROOM, epoch, Seq(2), (entry("c:1", 7), entry("d:1", 8))) == Appended()


@promise
async def a_room_is_due_when_it_said(connect: Connect) -> None:
    """Each append sets it anew; of several shares each room is in one."""
    log, other = connect(), connect()
    epoch = (await log.create(ROOM, FIRST, wake_ms=1_000)).epoch
    second = (await log.create(OTHER, FIRST, wake_ms=2_000)).epoch
    assert (await other.due(999, 10), await other.due(1_000, 10)) == ([], [ROOM])
    assert (sorted(await other.due(5_000, 10)), len(await other.due(5_000, 1))) == ([ROOM, OTHER], 1)
    shares = [await other.due(5_000, 10, (part, 3)) for part in range(3)]
    assert sorted(room for share in shares for room in share) == [ROOM, OTHER]
    assert await log.append(ROOM, epoch, Seq(0), (A,), wake_ms=3_000) == Appended()
    assert await other.due(2_999, 10) == [OTHER]
    assert await log.append(ROOM, epoch, Seq(0), (B,), wake_ms=1) == Conflict((A,))
    assert await log.append(ROOM, epoch, Seq(1), (B,)) == Appended()
    await log.forget(OTHER, second)
    assert await other.due(9_000, 10) == []


@promise
async def without_replicas_hard_is_like_soft(connect: Connect) -> None:
    """There is nobody to wait for."""
    log = connect()
    epoch = await opened(log)
    assert await log.append(ROOM, epoch, Seq(0), (A,), hard=True) == Appended()


@promise
async def what_is_there_is_restored_as_it_is(connect: Connect) -> None:
    """For who knows less, or the same; nobody's state replaces it."""
    log, other = connect(), connect()
    epoch = await opened(log, A, B)
    for seq in (1, 2):
        assert await other.restore(ROOM, epoch, Seq(seq), LATER) == Loaded(epoch, Seq(0), FIRST, (A, B))


@promise
async def what_is_forgotten_is_not_restored(connect: Connect) -> None:
    """Who has not noticed the end of a session cannot bring it back, nor replace the next one, nor erase that."""
    log, other = connect(), connect()
    epoch = await opened(log, A)
    await log.forget(ROOM, epoch)
    assert await other.restore(ROOM, epoch, Seq(1), LATER) is None
    anew = await log.create(ROOM, FIRST, wake_ms=7)
    assert await other.restore(ROOM, epoch, Seq(1), LATER) == anew
    await other.forget(ROOM, epoch)
    assert (await log.load(ROOM), await log.due(7, 10), await log.rooms(10)) == (anew, [ROOM], [ROOM])


@promise
async def hints_tell_of_each_append(connect: Connect) -> None:
    """All nodes that asked hear of it, of this room only, with the position of the first entry."""
    log, listener = connect(), connect()
    epoch = await opened(log)
    heard = Heard()
    end = listener.subscribe(ROOM, heard)
    await connect.settle()
    other = await log.create(OTHER, FIRST)
    await log.append(OTHER, other.epoch, Seq(0), (D,))
    await log.append(ROOM, epoch, Seq(0), (A, B))
    await log.append(ROOM, epoch, Seq(0), (D,))
    await log.append(ROOM, epoch, Seq(2), (C,))
    await heard.until(lambda: len(heard.hints) == 2)
    assert heard.hints == [(epoch, 1, (A, B)), (epoch, 3, (C,))]
    end()
    end()
    await log.append(ROOM, epoch, Seq(3), (D,))
    await asyncio.sleep(0)
    assert len(heard.hints) == 2


@promise
async def a_hint_of_many_entries_is_whole(connect: Connect) -> None:
    """However many commands there were in the batch."""
    log, listener = connect(), connect()
    epoch = await opened(log)
    heard = Heard()
    end = listener.subscribe(ROOM, heard)
    await connect.settle()
    batches = [tuple(entry(f"{size}:{i}") for i in range(size)) for size in (15, 16, 64)]
    seq = 0
    for batch in batches:
        await log.append(ROOM, epoch, Seq(seq), batch)
        seq += len(batch)
    await heard.until(lambda: len(heard.hints) == 3)
    assert [entries for _, _, entries in heard.hints] == batches
    end()


@promise
async def who_follows_a_room_hears_of_its_end(connect: Connect) -> None:
    """As a hint that tells epoch 0."""
    log, listener = connect(), connect()
    epoch = await opened(log, A)
    heard = Heard()
    end = listener.subscribe(ROOM, heard)
    await connect.settle()
    await log.forget(ROOM, epoch)
    await heard.until(lambda: (0, 0) in heard.positions)
    end()


@promise
async def a_hint_may_end_hints(connect: Connect) -> None:
    """Ending one subscription from within a hint leaves the others."""
    log = connect()
    epoch = await opened(log)
    heard: list[str] = []
    always = Heard()

    def once(_epoch: Epoch, _first: Seq, entries: tuple[Entry, ...]) -> None:
        if entries:
            heard.append("once")
            end()

    end = log.subscribe(ROOM, once)
    end_always = log.subscribe(ROOM, always)
    await connect.settle()
    await log.append(ROOM, epoch, Seq(0), (A,))
    await log.append(ROOM, epoch, Seq(1), (B,))
    await always.until(lambda: len(always.hints) == 2)
    end_always()
    assert heard == ["once"]


@promise
async def a_forgotten_room_is_gone(connect: Connect) -> None:
    """Nothing of it is left; a new life has a higher epoch and does not know the old commands."""
    log, other = connect(), connect()
    epoch = await opened(log, A, B)
    await other.forget(ROOM, epoch)
    await other.forget(ROOM, epoch)
    assert (await log.load(ROOM), await log.ended(ROOM), await log.ended(OTHER)) == (None, True, False)
    assert await log.append(ROOM, epoch, Seq(2), (C,)) == EpochChanged(Epoch(0))
    anew = await log.create(ROOM, LATER)
    assert anew == Loaded(anew.epoch, Seq(0), LATER, ())
    assert (anew.epoch > epoch, await other.ended(ROOM)) == (True, False)
    assert await log.append(ROOM, epoch, Seq(0), (C,)) == EpochChanged(anew.epoch)
    assert await log.append(ROOM, anew.epoch, Seq(0), (A,)) == Appended()
