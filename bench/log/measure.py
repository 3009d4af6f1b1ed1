# SPDX-License-Identifier: Apache-2.0
"""The calls of one log, timed: alone, many rooms at once, and many entries at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from msgspec import Struct

from bench.machine import process_cpu_ns
from bench.stores import Kind, store
from server.cluster.clock import MonotonicClock
from server.cluster.connect import client_of, disconnect
from server.cluster.memory import MemoryLog
from server.cluster.redis_log import RedisLog
from server.ids import ConnectionId, ParticipantId, RoomId
from server.ports import Appended, Entry, Epoch, Loaded, RoomLog, Seq
from server.rooms.commands import TakeSeat
from server.rooms.context import Context
from server.rooms.decide import decide
from server.rooms.events import MicrophoneChanged, RoomOpened
from server.rooms.evolve import fold, opened
from server.rooms.state import Role, RoomSettings, RoomState
from server.rooms.templates import default_agenda

PEOPLE: Final = 12
BATCH: Final = 16
"""Entries in one append, where many are."""
TAIL: Final = 16
"""Entries in one read."""


class Cost(Struct, frozen=True):
    """What one call costs: our CPU, that of the store, and the time until it is answered."""

    calls: int
    per_s: float
    client_us: float
    store_us: float
    p50_ms: float
    p99_ms: float


class Costs(Struct, frozen=True):
    """All calls of one log. `batched`: for one of `BATCH` entries in an append."""

    create: Cost
    alone: Cost
    append: Cost
    batched: Cost
    read: Cost


class Refused(RuntimeError):
    """An append was not stored: the figures would mean nothing."""


class Target(Struct, frozen=True):
    """A log, and the process that stores for it."""

    log: RoomLog
    pid: int | None


@asynccontextmanager
async def target(name: Kind | None, core: int) -> AsyncIterator[Target]:
    """The log in memory, or on a store of this kind. Raises `stores.Missing`."""
    if name is None:
        yield Target(MemoryLog(MonotonicClock()), None)
        return
    async with store(name, core) as running:
        client = client_of(running.url)
        log = RedisLog(client)
        await log.start()
        try:
            yield Target(log, running.pid)
        finally:
            await log.close()
            await disconnect(client)


def full_room(room: RoomId) -> RoomState:
    """A room of twelve."""
    opening = RoomOpened(
        room=room,
        settings=RoomSettings(title="Twelve", capacity=PEOPLE, auto_admit=True),
        agenda=default_agenda(),
        at_ms=1,
    )
    state = opened(opening)
    for number in range(PEOPLE):
        seat = TakeSeat(
            participant=ParticipantId(f"person-{number}"),
            name=f"Person {number}",
            role=Role.PARTICIPANT,
            connection=ConnectionId(f"connection-{number}"),
            resume_hash="0" * 64,
        )
        state = fold(state, decide(state, seat, None, Context(now_ms=1)))
    return state


class _Room:
    """Appends one entry after another."""

    def __init__(self, log: RoomLog, loaded: Loaded, room: RoomId) -> None:
        self._log = log
        self._room = room
        self.epoch: Epoch = loaded.epoch
        self.seq = Seq(0)

    async def append(self, count: int = 1) -> None:
        entries = tuple(self._entry(number) for number in range(self.seq + 1, self.seq + count + 1))
        outcome = await self._log.append(self._room, self.epoch, self.seq, entries)
        if not isinstance(outcome, Appended):
            raise Refused(type(outcome).__name__)
        self.seq = Seq(self.seq + count)

    async def read(self) -> None:
        outcome = await self._log.read(self._room, self.epoch, Seq(self.seq - TAIL))
        if not isinstance(outcome, tuple) or len(outcome) != TAIL:
            raise Refused(type(outcome).__name__)

    def _entry(self, number: int) -> Entry:
        person = ParticipantId(f"person-{number % PEOPLE}")
        return Entry(f"9:{person}:c{number}", number, (MicrophoneChanged(person, number % 2 == 0, person),))


async def measure(at: Target, *, rooms: int, calls: int) -> Costs:
    """`calls` of each kind, `rooms` of them at once where many are."""
    names = [RoomId(f"room-{number}") for number in range(rooms)]
    begun: list[_Room] = []

    async def create(number: int) -> None:
        room = names[number]
        begun.append(_Room(at.log, await at.log.create(room, states[number]), room))

    states = [full_room(room) for room in names]
    created = await _timed(at, [partial(create, number) for number in range(rooms)], calls=1)
    alone = await _timed(at, [begun[0].append], calls=calls)
    append = await _timed(at, [room.append for room in begun], calls=calls // rooms)
    batched = await _timed(at, [partial(room.append, BATCH) for room in begun], calls=max(2, calls // rooms // BATCH))
    read = await _timed(at, [room.read for room in begun], calls=calls // rooms)
    return Costs(created, alone, append, _for_one_of(batched, BATCH), read)


async def _timed(at: Target, makers: Sequence[Callable[[], Awaitable[None]]], *, calls: int) -> Cost:
    """Each maker's calls one after the other, all makers at once."""
    times: list[float] = []

    async def run(make: Callable[[], Awaitable[None]]) -> None:
        for _ in range(calls):
            begun = time.perf_counter()
            await make()
            times.append((time.perf_counter() - begun) * 1000)

    wall, ours, theirs = time.perf_counter(), time.process_time(), _cpu_s(at.pid)
    await asyncio.gather(*(run(make) for make in makers))
    wall, ours, theirs = time.perf_counter() - wall, time.process_time() - ours, _cpu_s(at.pid) - theirs
    count = len(times)
    times.sort()
    return Cost(count, count / wall, ours * 1e6 / count, theirs * 1e6 / count, _rank(times, 0.5), _rank(times, 0.99))


def _for_one_of(cost: Cost, size: int) -> Cost:
    """The same for each entry; the time until it is answered is that of the whole."""
    share = (cost.client_us / size, cost.store_us / size)
    return Cost(cost.calls * size, cost.per_s * size, *share, cost.p50_ms, cost.p99_ms)


def _cpu_s(pid: int | None) -> float:
    return 0.0 if pid is None else process_cpu_ns(pid) / 1e9


def _rank(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
