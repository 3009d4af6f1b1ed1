# SPDX-License-Identifier: Apache-2.0
"""What a caretaker does while the log of some rooms is away."""

from __future__ import annotations

import asyncio
import secrets

from redis.asyncio import Redis

from server.cluster.caretaker import AT_ONCE, Caretaker
from server.cluster.clock import MonotonicClock
from server.cluster.memory import MemoryLog
from server.cluster.nodes import NodeInfo, Nodes, Registry
from server.ids import CommandId, NodeId, ParticipantId, RoomId, connection_at
from server.ports import Loaded, LogUnavailable
from server.rooms.commands import TakeSeat
from server.rooms.events import RoomOpened
from server.rooms.evolve import opened
from server.rooms.state import Role, RoomSettings
from server.rooms.templates import default_agenda
from server.runner import ROOM_RULES
from server.runner.registry import Rooms
from server.runner.seeds import Seeds
from server.runner.settings import Environment
from tests.cluster.servers import RunningRedis

ANN = ParticipantId("ann")
ROOMS = (RoomId("one"), RoomId("two"), RoomId("three"))


class PartlyAway(MemoryLog):
    """A log that does not answer for some rooms."""

    away: frozenset[RoomId] = frozenset()

    async def load(self, room: RoomId) -> Loaded | None:
        if room in self.away:
            raise LogUnavailable
        return await super().load(room)


def _rooms(log: MemoryLog) -> Rooms:
    return Rooms(Environment(log, ROOM_RULES, MonotonicClock(), Seeds()))


async def _seat(rooms: Rooms, room: RoomId, node: NodeId) -> None:
    """Somebody takes a seat there through this node."""
    settings = RoomSettings(title="Circle", auto_admit=True)
    first = opened(RoomOpened(room=room, settings=settings, agenda=default_agenda(), at_ms=0))
    runner = await rooms.open(room, first)
    seat = TakeSeat(ANN, "Ann", Role.MODERATOR, connection_at(node, "c"), "x" * 64)
    await runner.submit(seat, None, CommandId("seat:c"))


async def test_one_room_whose_log_is_away_keeps_no_other_waiting(shared_server: RunningRedis) -> None:
    """Seats of a lost node are released in all rooms that are there; in the others as soon as they are."""
    async with Redis.from_url(shared_server.url) as client:
        registry = Registry(client, f"test-{secrets.token_hex(4)}")
        lost, left = (Nodes(registry, lambda: NodeInfo(NodeId(""))) for _ in range(2))
        await lost.beat()
        log = PartlyAway(MonotonicClock())
        before = _rooms(log)
        for room in ROOMS:
            await _seat(before, room, lost.node)
            await lost.note(room)
        await before.close()
        await registry.bury(lost.node)
        await left.beat()
        rooms = _rooms(log)
        caretaker = Caretaker(rooms, log, left, MonotonicClock(), lambda _: True)
        log.away = frozenset({ROOMS[1]})
        await caretaker.look()
        assert [_released(rooms, room) for room in ROOMS] == [True, None, True]
        await left.beat()
        assert left.orphans == {lost.node}
        assert await registry.rooms_of(lost.node) == (ROOMS[1],)
        log.away = frozenset()
        await caretaker.look()
        assert [_released(rooms, room) for room in ROOMS] == [True, True, True]
        await left.beat()
        assert left.orphans == frozenset()
        await rooms.close()


class Crowded(MemoryLog):
    """A log that counts who asks for a room at the same time."""

    asking = most = 0

    async def load(self, room: RoomId) -> Loaded | None:
        self.asking += 1
        self.most = max(self.most, self.asking)
        await asyncio.sleep(0)
        self.asking -= 1
        return await super().load(room)


async def test_the_rooms_of_a_large_node_are_seen_to_a_few_at_a_time(shared_server: RunningRedis) -> None:
    """All of them in one look; the people of this node are not held up by all at once."""
    async with Redis.from_url(shared_server.url) as client:
        registry = Registry(client, f"test-{secrets.token_hex(4)}")
        left, lost = Nodes(registry, lambda: NodeInfo(NodeId(""))), NodeId("n-large")
        log = Crowded(MonotonicClock())
        await registry.note(lost, *(RoomId(f"room-{number}") for number in range(3 * AT_ONCE)))
        await registry.bury(lost)
        await left.beat()
        await Caretaker(_rooms(log), log, left, MonotonicClock(), lambda _: True).look()
        assert 0 < log.most <= AT_ONCE
        assert await registry.rooms_of(lost) == ()


def _released(rooms: Rooms, room: RoomId) -> bool | None:
    """Whether the seat there speaks through no connection any more; None: the room is not loaded."""
    runner = rooms.get(room)
    return None if runner is None else runner.state.seats[ANN].connection is None
