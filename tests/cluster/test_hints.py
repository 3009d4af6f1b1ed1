# SPDX-License-Identifier: Apache-2.0
"""What pub/sub loses is found: by what comes back, and by looking where the logs stand."""

from __future__ import annotations

import asyncio
import time
from typing import Final

import pytest

from server.cluster.canary import OVERDUE, Canary
from server.cluster.keys import Keys
from server.cluster.positions import Position, Positions
from server.cluster.shards import OneShard
from server.ids import RoomId
from server.ports import Appended, Epoch, Loaded, Seq
from tests.cluster.contract import LATER, OTHER, ROOM, A, B, C, entry, opened
from tests.cluster.heard import Heard
from tests.cluster.nodes import joined
from tests.cluster.servers import KINDS, Kind, RunningRedis, redis_server
from tests.runner.toys import FIRST

E1, E2 = Epoch(1), Epoch(2)
PROMISED_S: Final = 2.0
"""What the design promises for a silent loss; tests on a busy machine allow twice as much."""


def test_a_canary_that_stays_out_is_missed() -> None:
    """Only those that were really sent, and on this connection."""
    canary = Canary()
    numbers = [canary.send() for _ in range(OVERDUE - 1)]
    canary.unsent(canary.send())
    assert not canary.silent()
    last = canary.send()
    assert canary.silent()
    canary.heard(numbers[0])
    assert not canary.silent()
    canary.send()
    assert canary.silent()
    canary.heard(last)
    canary.send()
    assert not canary.silent()
    canary.send()
    canary.restart()
    assert not canary.silent()


async def test_one_more_room_is_no_work_for_all_others(
    shared_server: RunningRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node takes over the rooms of another one in time that grows with their number, not with its square."""
    asked: list[str] = []

    def owner(_shards: OneShard, key: str) -> str:
        asked.append(key)
        return ""

    async with joined(shared_server.url) as nodes:
        log = nodes()
        await nodes.settle()
        monkeypatch.setattr(OneShard, "owner", owner)
        for number in range(100):
            log.subscribe(RoomId(f"room {number}"), Heard())
        assert len(asked) <= 200
        await log.ready()


def at(epoch: Epoch, seq: int) -> Position:
    """A position."""
    return Position(epoch, Seq(seq))


@pytest.mark.parametrize(
    ("asked", "told", "found", "strays"),
    [
        (at(E1, 5), at(E1, 5), at(E1, 5), False),
        (at(E1, 5), at(E1, 5), at(E1, 6), True),
        (at(E1, 5), at(E1, 6), at(E1, 6), False),
        (at(E1, 5), at(E1, 7), at(E1, 6), False),
        (at(E1, 5), at(E1, 7), at(E1, 4), True),
        (at(E1, 5), at(E1, 5), at(E2, 0), True),
        (at(E1, 5), at(E2, 3), at(E1, 5), False),
        (at(E1, 5), at(E1, 5), at(Epoch(0), 0), True),
        (at(E2, 5), at(E2, 5), at(E1, 9), True),
    ],
)
def test_positions_that_stray(asked: Position, told: Position, found: Position, strays: bool) -> None:
    """An answer may be older than what was told meanwhile, but not older than the question."""
    positions = Positions()
    positions.follow(ROOM)
    positions.tell(ROOM, told.epoch, told.seq)
    assert positions.strays(ROOM, asked, found) is strays


def test_positions_only_go_on_unless_loaded_anew() -> None:
    """A late answer does not set them back; a room loaded anew does. Who is not followed is not kept."""
    positions = Positions()
    positions.tell(ROOM, E1, 5)
    assert positions.snapshot() == {}
    positions.follow(ROOM)
    positions.tell(ROOM, E2, 5)
    positions.tell(ROOM, E1, 9)
    assert positions.snapshot() == {ROOM: at(E2, 5)}
    positions.tell(ROOM, E2, 3, anew=True)
    assert positions.snapshot() == {ROOM: at(E2, 3)}
    positions.leave(ROOM)
    assert not positions.strays(ROOM, at(E2, 3), at(E2, 9))


def test_keys_hide_rooms_and_share_a_slot() -> None:
    """All keys of a room have the tag of its partition, and none has its name."""
    keys = Keys().of(RoomId("our secret topic"))
    assert len({key.split("}")[0] for key in keys.all()}) == 1
    assert not any("secret" in key for key in keys.all())


async def test_a_lost_subscription_is_made_good(shared_server: RunningRedis) -> None:
    """After CLIENT KILL TYPE pubsub the node hears at once where the log stands, and the next hints."""
    async with joined(shared_server.url) as nodes:
        log, listener = nodes(), nodes()
        epoch = await opened(log)
        heard = Heard()
        listener.subscribe(ROOM, heard)
        await nodes.settle()
        with shared_server.admin() as admin:
            admin.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        start = time.monotonic()
        assert await log.append(ROOM, epoch, Seq(0), (A,)) == Appended()
        await heard.until(lambda: (epoch, 1) in heard.positions or len(heard.hints) == 1)
        assert time.monotonic() - start < 2 * PROMISED_S
        seen = len(heard.hints)
        for seq in range(1, 100):
            assert await log.append(ROOM, epoch, Seq(seq), (entry(f"b:{seq}"),)) == Appended()
            await asyncio.sleep(0.05)
            if len(heard.hints) > seen:
                break
        assert heard.hints[-1] == (epoch, seq + 1, (entry(f"b:{seq}"),))


async def test_a_dropped_hint_is_found(shared_server: RunningRedis) -> None:
    """Somebody appends without a word: the position check tells it."""
    async with joined(shared_server.url) as nodes:
        log, listener = nodes(), nodes()
        epoch = await opened(log)
        heard = Heard()
        listener.subscribe(ROOM, heard)
        await nodes.settle()
        log._publish = "PUBLISH"  # noqa: SLF001 - nobody listens there
        assert await log.append(ROOM, epoch, Seq(0), (A,)) == Appended()
        await heard.until(lambda: (epoch, 1) in heard.positions)
        assert heard.hints == []


async def test_a_deaf_connection_is_replaced(shared_server: RunningRedis) -> None:
    """Healthy for TCP, but no longer subscribed: the canary does not come back."""
    async with joined(shared_server.url) as nodes:
        log, listener = nodes(), nodes()
        epoch = await opened(log)
        heard = Heard()
        listener.subscribe(ROOM, heard)
        await nodes.settle()
        subscriber = next(iter(listener._hints._ears.values())).subscriber  # noqa: SLF001 - to make it deaf
        connection = subscriber._connection  # noqa: SLF001 - as above
        assert connection is not None
        await connection.send_command("SUNSUBSCRIBE", check_health=False)
        async with asyncio.timeout(10):
            while subscriber._connection in {connection, None} or not subscriber.ready:  # noqa: SLF001, ASYNC110
                await asyncio.sleep(0.02)
        await log.append(ROOM, epoch, Seq(0), (A,))
        await heard.until(lambda: (epoch, 1, (A,)) in heard.hints)


_HEAD = b"\x95\x01\xc4\x01o\x05\x01\x91"
NO_TEXT = _HEAD + b"\x83\xa7command\xa1\xff\xa5at_ms\x01\xa6events\x90"
TOO_DEEP = _HEAD + b"\x81\xa1x" + b"\x91" * 5_000 + b"\xc0"
"""The beginning of a hint, and text that is none; more lists in each other than any decoder follows."""


async def test_unknown_bytes_are_no_hint(shared_server: RunningRedis) -> None:
    """Whatever is published there, the next hint still comes."""
    async with joined(shared_server.url) as nodes:
        log, listener = nodes(), nodes()
        epoch = await opened(log)
        heard = Heard()
        listener.subscribe(ROOM, heard)
        await nodes.settle()
        with shared_server.admin() as admin:
            for payload in (b"", b"\x80", b"junk", b"\x95\x02\xa0\x01\x01\x90", b"\x91" * 100, NO_TEXT, TOO_DEEP):
                admin.execute_command("SPUBLISH", Keys(nodes.prefix).key(ROOM, "hints"), payload)
            for channel in admin.execute_command("PUBSUB", "SHARDCHANNELS", f"{nodes.prefix}:*:canary:*"):
                admin.execute_command("SPUBLISH", channel, b"no number")
        await log.append(ROOM, epoch, Seq(0), (A,))
        await heard.until(lambda: bool(heard.hints))
        assert heard.hints == [(epoch, 1, (A,))]


@pytest.mark.parametrize("kind", KINDS)
async def test_an_emptied_redis_is_filled_again(kind: Kind) -> None:
    """Who follows a room is told that it is gone; of two who restore it, one wins, unless the other knows more."""
    async with redis_server(kind) as server, joined(server.url) as nodes:
        one, two = nodes(), nodes()
        epoch = await opened(one, A, B)
        heard = Heard()
        two.subscribe(ROOM, heard)
        await nodes.settle()
        await heard.until(lambda: (epoch, 2) in heard.positions)
        with server.admin() as admin:
            admin.flushall()
        await heard.until(lambda: (0, 0) in heard.positions)
        assert await one.append(ROOM, epoch, Seq(2), (C,)) != Appended()

        first = await one.restore(ROOM, epoch, Seq(1), FIRST)
        assert first is not None
        assert (first.epoch > epoch, first.snapshot, first.entries) == (True, FIRST, ())
        assert await two.restore(ROOM, epoch, Seq(1), LATER) == first
        better = await two.restore(ROOM, epoch, Seq(2), LATER)
        assert better is not None
        assert better == Loaded(better.epoch, Seq(0), LATER, ())
        assert better.epoch > first.epoch
        assert await one.restore(ROOM, first.epoch, Seq(0), FIRST) == better
        assert await one.append(ROOM, better.epoch, Seq(0), (C,)) == Appended()
        assert await two.restore(ROOM, epoch, Seq(3), FIRST) == Loaded(better.epoch, Seq(0), LATER, (C,))


@pytest.mark.parametrize("kind", KINDS)
async def test_a_life_that_was_restored_ends_with_the_one_before_it(kind: Kind) -> None:
    """Who knows that a session is over erases it, although Redis has lost it and got it back meanwhile."""
    async with redis_server(kind) as server, joined(server.url) as nodes:
        one, two = nodes(), nodes()
        epoch = await opened(one, A, B)
        with server.admin() as admin:
            admin.flushall()
        restored = await two.restore(ROOM, epoch, Seq(2), LATER)
        assert restored is not None
        await one.forget(ROOM, epoch)
        assert (await two.load(ROOM), await two.ended(ROOM)) == (None, True)
        assert await two.restore(ROOM, restored.epoch, Seq(0), LATER) is None


DAY_MS = 24 * 3_600_000


@pytest.mark.parametrize("kind", KINDS)
async def test_who_slept_through_the_end_brings_nothing_back(kind: Kind) -> None:
    """Neither into the next session nor into an empty room, however long the end of the one it knows is ago."""
    async with redis_server(kind) as server, joined(server.url) as nodes:
        slept, other = nodes(), nodes()
        epoch = await opened(slept, A, B)
        await other.forget(ROOM, epoch)
        anew = await other.create(ROOM, FIRST)
        tombstone = Keys(nodes.prefix).key(ROOM, "tombstone")
        with server.admin() as admin:
            admin.delete(tombstone)
        assert await slept.restore(ROOM, epoch, Seq(2), LATER, at_ms=epoch) == anew
        await other.forget(ROOM, anew.epoch)
        with server.admin() as admin:
            admin.delete(tombstone)
        old = Epoch(epoch - 3 * DAY_MS)
        assert await slept.restore(ROOM, old, Seq(2), LATER, at_ms=epoch - 2 * DAY_MS) is None
        third = await other.create(ROOM, FIRST)
        assert await slept.restore(ROOM, old, Seq(2), LATER, at_ms=epoch - 2 * DAY_MS) == third
        known = await slept.restore(ROOM, old, Seq(2), LATER, at_ms=epoch)
        assert known is not None
        assert known.snapshot == LATER


@pytest.mark.parametrize("kind", KINDS)
async def test_the_end_is_told_for_an_hour(kind: Kind) -> None:
    """After that the tombstone only keeps the room from coming back."""
    async with redis_server(kind) as server, joined(server.url) as nodes:
        log = nodes()
        epoch = await opened(log, A)
        await log.forget(ROOM, epoch)
        assert await log.ended(ROOM)
        with server.admin() as admin:
            admin.pexpire(Keys(nodes.prefix).key(ROOM, "tombstone"), DAY_MS)
        assert not await log.ended(ROOM)
        assert await log.restore(ROOM, epoch, Seq(1), LATER) is None


@pytest.mark.parametrize("kind", KINDS)
async def test_a_room_created_in_ignorance_gives_way(kind: Kind) -> None:
    """After a FLUSHALL somebody opens the room before a node that has it notices."""
    async with redis_server(kind) as server, joined(server.url) as nodes:
        one, two = nodes(), nodes()
        epoch = await opened(one, A, B)
        with server.admin() as admin:
            admin.flushall()
        ignorant = await two.create(ROOM, FIRST)
        restored = await one.restore(ROOM, epoch, Seq(2), LATER)
        assert restored is not None
        assert (restored.epoch > ignorant.epoch, restored.snapshot) == (True, LATER)
        assert await two.create(ROOM, FIRST) == restored
        assert await two.restore(ROOM, ignorant.epoch, Seq(0), FIRST) == restored


@pytest.mark.parametrize("kind", KINDS)
async def test_a_log_that_went_back_begins_anew(kind: Kind) -> None:
    """A replica was promoted without the last entries: who knows them restores the room; the others are told."""
    async with redis_server(kind) as server, joined(server.url) as nodes:
        one, two = nodes(), nodes()
        epoch = await opened(one, A)
        key = Keys(nodes.prefix).key(ROOM, "room")
        entries = Keys(nodes.prefix).key(ROOM, "entries")
        heard = Heard()
        two.subscribe(ROOM, heard)
        await nodes.settle()
        with server.admin() as admin:
            before = admin.dump(key), admin.dump(entries)
            assert await one.append(ROOM, epoch, Seq(1), (B,)) == Appended()
            await heard.until(lambda: bool(heard.hints))
            for name, dump in zip((key, entries), before, strict=True):
                assert isinstance(dump, bytes)
                admin.restore(name, 0, dump, replace=True)
        await heard.until(lambda: (epoch, 1) in heard.positions)
        restored = await one.restore(ROOM, epoch, Seq(2), LATER)
        assert restored is not None
        assert restored == Loaded(restored.epoch, Seq(0), LATER, ())
        assert restored.epoch > epoch
        await heard.until(lambda: (0, 0) in heard.positions)


async def test_all_followed_rooms_are_looked_at(shared_server: RunningRedis) -> None:
    """Positions of many rooms come in few commands."""
    async with joined(shared_server.url) as nodes:
        log = nodes()
        epoch = await opened(log, A)
        rooms = [ROOM, OTHER, *(RoomId(f"room {i}") for i in range(1_200))]
        found = await log.positions(rooms)
        assert found[ROOM] == at(epoch, 1)
        assert [found[room] for room in rooms[1:]] == [at(Epoch(0), 0)] * 1_201
