# SPDX-License-Identifier: Apache-2.0
"""Nodes on real servers; their beats are given by hand, on a clock of the test."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from redis.exceptions import SlotNotCoveredError

from server.cluster.lapse import LEASE_MS
from server.cluster.nodes import NodeInfo, Nodes, Registry
from server.ids import NodeId, RoomId
from server.ports import LogUnavailable
from tests.cluster.servers import RunningRedis, redis_server

ROOM, OTHER = RoomId("one"), RoomId("two")


class Town:
    """Nodes that share a server and a clock."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.now_ms = 0
        self.told: list[tuple[NodeId, NodeId]] = []
        self.buried: list[NodeId] = []

    def node(self) -> Nodes:
        """One more node, which has not beaten yet."""
        nodes = Nodes(self.registry, lambda: NodeInfo(NodeId(""), url="http://here"), lambda: self.now_ms)
        nodes.on_lapse(lambda gone: self.told.append((nodes.node, gone)))
        nodes.on_buried(lambda: self.buried.append(nodes.node))
        return nodes

    async def beat(self, *nodes: Nodes, for_ms: int = 1_000) -> None:
        """These beat once a second; the others sleep."""
        for _ in range(for_ms // 1_000):
            self.now_ms += 1_000
            for node in nodes:
                await node.beat()


@pytest.fixture
async def town(shared_server: RunningRedis) -> AsyncIterator[Town]:
    """Keys of its own."""
    async with Redis.from_url(shared_server.url) as client:
        yield Town(Registry(client, f"test-{secrets.token_hex(4)}"))


def names(nodes: Nodes) -> set[NodeId]:
    """Who lives, as this node sees it."""
    return {info.node for info in nodes.live()}


async def test_nodes_see_each_other(town: Town) -> None:
    """Each under a name of its own, with what it says of itself."""
    one, two = town.node(), town.node()
    await town.beat(one, two, one)
    assert names(one) == names(two) == {one.node, two.node}
    assert {info.url for info in await town.registry.nodes()} == {"http://here"}
    assert len(one.node) == len(two.node) == 14


async def test_a_silent_node_is_given_up_once_by_all(town: Town) -> None:
    """After a lease, not before; every node that is left hears of it once, and its rooms can be found."""
    one, two, gone = town.node(), town.node(), town.node()
    await town.beat(one, two, gone)
    await gone.note(ROOM)
    await town.beat(one, two, for_ms=LEASE_MS - 1_000)
    assert gone.node in names(one)
    assert town.told == []
    await town.beat(one, two, for_ms=3_000)
    assert sorted(town.told) == sorted([(one.node, gone.node), (two.node, gone.node)])
    assert names(one) == names(two) == {one.node, two.node}
    assert gone.node in one.orphans
    assert await town.registry.rooms_of(gone.node) == (ROOM,)
    await town.registry.settled(gone.node)
    await town.beat(one)
    assert one.orphans == frozenset()


async def test_a_node_that_wakes_after_its_lease_is_somebody_else(town: Town) -> None:
    """It never lives again under the old name, and says so before it does anything else."""
    one, sleeper = town.node(), town.node()
    await town.beat(one, sleeper)
    old = sleeper.node
    await town.beat(one, for_ms=LEASE_MS + 2_000)
    await town.beat(sleeper, one)
    assert sleeper.node != old
    assert town.buried == [sleeper.node]
    assert names(one) == {one.node, sleeper.node}
    assert old in sleeper.lapsed


async def test_a_node_that_sleeps_shorter_stays_who_it_is(town: Town) -> None:
    """And suspects nobody for what it has not seen."""
    one, sleeper = town.node(), town.node()
    await town.beat(one, sleeper)
    await town.beat(one, for_ms=LEASE_MS - 1_000)
    await town.beat(sleeper, one)
    assert not town.buried
    assert not town.told


async def test_a_node_that_closes_is_gone_at_once(town: Town) -> None:
    """Nobody waits for its lease."""
    one, leaving = town.node(), town.node()
    await leaving.start()
    await leaving.note(ROOM)
    await town.beat(one)
    await leaving.close()
    await town.beat(one)
    assert town.told == [(one.node, leaving.node)]
    assert names(one) == {one.node}


async def test_a_node_can_be_asked_to_end(town: Town) -> None:
    """From anywhere; it hears so once, and others do not."""
    one, two = town.node(), town.node()
    asked: list[str] = []
    one.on_drain(lambda: asked.append("one"))
    two.on_drain(lambda: asked.append("two"))
    await town.beat(one, two)
    await town.registry.drain(one.node)
    await town.beat(one, two, one)
    assert asked == ["one"]


async def test_rooms_are_noted_and_forgotten(town: Town) -> None:
    """A room is noted before anybody has a seat there."""
    one = town.node()
    await town.beat(one)
    await one.note(ROOM)
    await one.note(OTHER)
    await one.forget(ROOM)
    assert await town.registry.rooms_of(one.node) == (OTHER,)


async def test_what_was_noted_ends_by_itself(town: Town, shared_server: RunningRedis) -> None:
    """Also if the node dies before it beats again, and no other is left to see to it."""
    one = town.node()
    await town.beat(one)
    await one.note(ROOM)
    with shared_server.admin() as admin:
        left_s = admin.ttl(town.registry.rooms_key(one.node))
    assert isinstance(left_s, int)
    assert 0 < left_s <= 24 * 3600


async def test_an_emptied_server_buries_nobody() -> None:
    """Everybody beats again under the old name; what they had noted is there again. Away: nobody is missed."""
    async with redis_server("valkey") as server, Redis.from_url(server.url) as client:
        town = Town(Registry(client))
        one, two = town.node(), town.node()
        await town.beat(one, two, one)
        await one.note(ROOM)
        server.kill()
        town.now_ms += 2 * LEASE_MS
        with pytest.raises(LogUnavailable):
            await one.beat()
        assert names(one) == {one.node, two.node}
        await server.restart()
        before = one.node, two.node
        await town.beat(one, two)
        assert names(one) == set(before)
        await town.beat(one, two, for_ms=2 * LEASE_MS)
        assert (one.node, two.node) == before
        assert not town.buried
        assert not town.told
        assert await town.registry.rooms_of(one.node) == (ROOM,)


@pytest.mark.parametrize("fault", [RuntimeError("the handler is closed"), SlotNotCoveredError("nobody has it")])
async def test_no_fault_of_redis_ends_the_beat(fault: Exception) -> None:
    """A transport that has just been closed, and a Cluster without an owner of the keys, are a log that is away."""
    client = Redis()

    async def failing(*_: object) -> None:
        raise fault

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "execute_command", failing)
        with pytest.raises(LogUnavailable):
            await Town(Registry(client)).node().beat()
