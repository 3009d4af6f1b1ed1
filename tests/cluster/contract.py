# SPDX-License-Identifier: Apache-2.0
"""What every room log promises, as functions over a way to get one. Each adapter runs all of them.

`connect` gives a log as one node has it; two of them share their rooms.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

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
    RoomLog,
    Seq,
    Trimmed,
)
from server.rooms.events import HandLowered
from tests.runner.toys import FIRST

Connect = Callable[[], RoomLog]
Promise = Callable[[Connect], Awaitable[None]]
CONTRACT: Final[list[Promise]] = []

ROOM: Final = RoomId("one")
OTHER: Final = RoomId("two")
LATER: Final = replace(FIRST, spotlight=ParticipantId("a"))


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
    """A writer who believes in entries that are not there is refused; nothing is missing for them."""
    log = connect()
    epoch = await opened(log, A)
    assert await log.append(ROOM, epoch, Seq(2), (C,)) == Conflict(())
    assert await log.read(ROOM, epoch, Seq(2)) == ()
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
    assert await log.append(ROOM, epoch, Seq(2), (C,)) == Appended()
    assert await state_of(log) == Loaded(epoch, Seq(2), LATER, (C,), 5)
    assert await log.read(ROOM, epoch, Seq(0)) == (A, entry("b:1", 5), C)


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
async def hints_tell_of_each_append(connect: Connect) -> None:
    """All nodes that asked hear of it, of this room only, with the position of the first entry."""
    log, listener = connect(), connect()
    epoch = await opened(log)
    heard: list[tuple[Epoch, Seq, tuple[Entry, ...]]] = []
    both = asyncio.Event()

    def hint(epoch: Epoch, first: Seq, entries: tuple[Entry, ...]) -> None:
        heard.append((epoch, first, entries))
        if len(heard) == 2:
            both.set()

    end = listener.subscribe(ROOM, hint)
    other = await log.create(OTHER, FIRST)
    await log.append(OTHER, other.epoch, Seq(0), (D,))
    await log.append(ROOM, epoch, Seq(0), (A, B))
    await log.append(ROOM, epoch, Seq(0), (D,))
    await log.append(ROOM, epoch, Seq(2), (C,))
    await asyncio.wait_for(both.wait(), 5)
    assert heard == [(epoch, 1, (A, B)), (epoch, 3, (C,))]
    end()
    end()
    await log.append(ROOM, epoch, Seq(3), (D,))
    await asyncio.sleep(0)
    assert len(heard) == 2


@promise
async def a_hint_may_end_hints(connect: Connect) -> None:
    """Ending one subscription from within a hint leaves the others."""
    log = connect()
    epoch = await opened(log)
    heard: list[str] = []
    done = asyncio.Event()

    def once(*_: object) -> None:
        heard.append("once")
        end()

    def always(*_: object) -> None:
        heard.append("always")
        if heard.count("always") == 2:
            done.set()

    end = log.subscribe(ROOM, once)
    end_always = log.subscribe(ROOM, always)
    await log.append(ROOM, epoch, Seq(0), (A,))
    await log.append(ROOM, epoch, Seq(1), (B,))
    await asyncio.wait_for(done.wait(), 5)
    end_always()
    assert sorted(heard) == ["always", "always", "once"]


@promise
async def a_forgotten_room_is_gone(connect: Connect) -> None:
    """Nothing of it is left; a new life has a higher epoch and does not know the old commands."""
    log, other = connect(), connect()
    epoch = await opened(log, A, B)
    await other.forget(ROOM)
    await other.forget(ROOM)
    assert await log.load(ROOM) is None
    assert await log.append(ROOM, epoch, Seq(2), (C,)) == EpochChanged(Epoch(0))
    anew = await log.create(ROOM, LATER)
    assert anew == Loaded(anew.epoch, Seq(0), LATER, ())
    assert anew.epoch > epoch
    assert await log.append(ROOM, epoch, Seq(0), (C,)) == EpochChanged(anew.epoch)
    assert await log.append(ROOM, anew.epoch, Seq(0), (A,)) == Appended()
