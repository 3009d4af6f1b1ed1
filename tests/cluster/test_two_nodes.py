# SPDX-License-Identifier: Apache-2.0
"""Two whole servers on one Redis are one system: people at different nodes are in the same room."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from loadtest.serving import free_port
from server.app import Server
from server.cluster.caretaker import IDLE_LOOKS, Caretaker
from server.cluster.system import DEFER_MS
from server.errors import DisconnectCode, RejectCode
from server.ids import NodeId, ParticipantId, RoomId
from server.ports import Clock
from server.rooms.commands import RaiseHand, Rename
from server.rooms.state import SEAT_GRACE_MS, Presence, Role
from server.signaling.messages import Ok, ReadOnly, Reject, Servers
from tests.cluster.servers import RunningRedis, redis_server
from tests.signaling.clients import Person, config, fresh_room, plain, token

ANN, BEN = ParticipantId("ann"), ParticipantId("ben")
AWAY, BACK = ReadOnly(on=True), ReadOnly(on=False)


class Two:
    """The servers, a room, and the people of one test."""

    def __init__(self, redis: RunningRedis, servers: list[Server]) -> None:
        self.redis = redis
        self.servers = servers
        self.room = fresh_room()
        self.people: list[Person] = []

    def url(self, node: int) -> str:
        """Where a node listens."""
        return f"http://127.0.0.1:{self.servers[node].port}"

    async def join(self, node: int, sub: str, role: Role = Role.PARTICIPANT) -> Person:
        """Somebody new, at this node."""
        person = Person(self.url(node), self.room)
        self.people.append(person)
        return await person.join(sub, role)

    async def back(self, node: int, earlier: Person, sub: str) -> Person:
        """Somebody who comes back through this node."""
        person = Person(self.url(node), self.room)
        person.mirror = earlier.mirror
        self.people.append(person)
        return await person.connect(token=token(self.room, sub), resume=plain(earlier.resume()))


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[Two]:
    """Two servers on one Valkey of their own."""
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(redis_server("valkey", appendonly=True))
        servers = []
        for number in range(2):
            settings: dict[str, Any] = {"redis": redis.url, "media_workers": 1}
            server = Server(config(tmp_path / str(number), **settings))
            servers.append(await stack.enter_async_context(server))
        two = Two(redis, servers)
        yield two
        for person in two.people:
            await person.close()
        assert [fault for person in two.people for fault in person.faults] == []


async def until(holds: Callable[[], bool], within_s: float = 15.0) -> None:
    """Wait until something is true that nobody tells."""
    async with asyncio.timeout(within_s):
        while not holds():  # noqa: ASYNC110 - of another server
            await asyncio.sleep(0.02)


def hands(person: Person) -> list[str]:
    """Whose hands this person sees."""
    return [hand.participant for hand in person.view.hands]


async def test_people_at_two_nodes_are_in_one_room(two: Two) -> None:
    """Each sees what the other does, in the same order; a seat is taken again through the other node."""
    ann, ben = await two.join(0, "ann", Role.MODERATOR), await two.join(1, "ben")
    await ann.until(lambda: BEN in ann.view.participants)
    await asyncio.gather(*(person.do(RaiseHand()) for person in (ann, ben)))
    await ann.until(lambda: len(hands(ann)) == 2)
    await ben.until(lambda: len(hands(ben)) == 2)
    assert hands(ann) == hands(ben)
    await ben.close()
    again = await two.back(0, ben, "ben")
    assert again.welcome.tail is not None or again.welcome.view is not None
    assert isinstance(await again.send(Rename("Benny"), "another"), Ok)
    await ann.until(lambda: ann.view.participants[BEN].name == "Benny")
    assert hands(ann) == hands(again)
    assert ann.view.participants[BEN].presence is Presence.CONNECTED
    system = two.servers[0].system
    assert system is not None
    await until(lambda: len(system.nodes.live()) == 2)


async def test_a_second_tab_at_another_node_takes_over(two: Two) -> None:
    """The older one is told; both are never there at once."""
    ann, other = await two.join(0, "ann"), await two.join(1, "ann")
    await ann.until(lambda: ann.gone)
    assert ann.disconnecting == DisconnectCode.SUPERSEDED
    await other.do(RaiseHand())


async def test_redis_away_is_told_and_nothing_is_lost(two: Two) -> None:
    """Within two seconds everybody knows, nothing is promised; once it is back all goes on."""
    ann, ben = await two.join(0, "ann"), await two.join(1, "ben")
    await ann.do(RaiseHand())
    two.redis.kill()
    await ann.until(lambda: AWAY in ann.notices)
    await ben.until(lambda: AWAY in ben.notices)
    answer = await ben.send(RaiseHand())
    assert isinstance(answer, Reject)
    assert answer.code is RejectCode.BUSY
    assert answer.retry_after_ms
    await two.redis.restart()
    await ann.until(lambda: ann.notices[-1] == BACK)
    await ben.until(lambda: ben.notices[-1] == BACK)
    await ben.do(RaiseHand())
    await ann.until(lambda: hands(ann) == ["ann", "ben"])
    assert not ann.gone
    assert not ben.gone


async def test_an_emptied_redis_is_filled_by_the_nodes(two: Two) -> None:
    """Under a new epoch; who was removed stays removed."""
    ann, ben = await two.join(0, "ann", Role.MODERATOR), await two.join(1, "ben")
    epoch = ann.welcome.epoch
    await ann.do(Rename("Annie"))
    with two.redis.admin() as admin:
        admin.flushall()
    await ben.do(RaiseHand())
    await ann.until(lambda: hands(ann) == ["ben"])
    assert ann.view.participants[ANN].name == "Annie"
    assert ann.mirror.epoch == ben.mirror.epoch > epoch
    assert not ann.gone
    assert not ben.gone


async def test_a_node_that_leaves_leaves_the_room_to_the_others(two: Two) -> None:
    """Its people are told to come back, their seats are kept, and time-outs go on."""
    ann, ben = await two.join(0, "ann", Role.MODERATOR), await two.join(1, "ben")
    await ann.until(lambda: BEN in ann.view.participants)
    leaving = two.servers[1]
    stopping = asyncio.create_task(leaving.__aexit__())
    await ben.until(lambda: ben.gone)
    assert ben.disconnecting == DisconnectCode.SERVER_RESTARTING
    again = await two.back(0, ben, "ben")
    await stopping
    assert isinstance(await again.send(RaiseHand(), "another"), Ok)
    await ann.until(lambda: hands(ann) == ["ben"])


async def test_a_client_hears_of_nodes_that_come_and_go(tmp_path: Path) -> None:
    """Not only at its Welcome: it may be the node it joined first that dies first."""
    async with redis_server("valkey", appendonly=True) as redis, AsyncExitStack() as stack:

        def node(name: str) -> Server:
            port = free_port()
            settings: dict[str, Any] = {"port": port, "node_url": f"http://127.0.0.1:{port}"}
            return Server(config(tmp_path / name, redis=redis.url, media_workers=1, **settings))

        first = await stack.enter_async_context(node("a"))
        ann = await Person(f"http://127.0.0.1:{first.port}", fresh_room()).join("ann")
        assert ann.welcome.others == ()
        async with node("b") as second:
            address = f"http://127.0.0.1:{second.port}"
            await ann.until(lambda: Servers((address,)) in ann.notices)
        await ann.until(lambda: ann.notices[-1] == Servers(()))
        await ann.close()


async def test_a_lost_node_releases_its_seats_once(two: Two) -> None:
    """Also in a room that nobody else has loaded."""
    room, lost = RoomId(two.room), two.servers[1]
    ben = await two.join(1, "ben")
    assert lost.system is not None
    await lost._caretaker.close()  # noqa: SLF001 - it lives on, and would see to it itself by its new name
    await lost.system.nodes.registry.bury(lost.node)
    system = two.servers[0].system
    assert system is not None
    await until(lambda: two.servers[0].rooms.get(room) is not None)
    runner = two.servers[0].rooms.get(room)
    assert runner is not None
    await until(lambda: runner.state.seats[BEN].connection is None)
    assert runner.state.participants[BEN].presence is Presence.LOST
    assert [type(event).__name__ for event in ben.events].count("ConnectionLost") <= 1


async def test_a_room_that_a_node_needs_no_more_leaves_its_memory(two: Two) -> None:
    """Its last client has gone elsewhere; the room goes on there, and is loaded here again when it is needed."""
    ann, ben = await two.join(0, "ann"), await two.join(1, "ben")
    await ann.until(lambda: BEN in ann.view.participants)
    left, room = two.servers[1], RoomId(two.room)
    caretaker = left._caretaker  # noqa: SLF001 - which looks once a second, and from here on only when it is told to
    await caretaker.close()
    again = await two.back(0, ben, "ben")
    await until(lambda: left.gateway.connections == 0)
    looks = 0
    while left.rooms.get(room) is not None:
        await caretaker.look()
        looks += 1
        assert looks < 10 * IDLE_LOOKS
    assert looks > IDLE_LOOKS
    assert not left.gateway.attends(room)
    assert left.node not in await rooms_by_node(left)
    assert two.servers[0].rooms.get(room) is not None
    await again.do(RaiseHand())
    back = await two.back(1, again, "ben")
    assert hands(back) == ["ben"]


async def test_a_room_that_nobody_has_loaded_is_seen_to_by_one_node(two: Two) -> None:
    """The log knows when something is due; of the nodes one looks after it, and lets it go again."""
    ben = await two.join(1, "ben")
    await ben.close()
    room = RoomId(two.room)
    await until(lambda: has_lost(two.servers[1], room))
    carers = []
    for server in two.servers:
        assert server.system is not None
        await until(lambda system=server.system: len(system.nodes.live()) == 2)  # type: ignore[misc]
        await server._caretaker.close()  # noqa: SLF001 - those of the test see to it
        later = Later(server.system.clock)
        carers.append(Caretaker(server.rooms, server.system.log, server.system.nodes, later, lambda _: False))
        if (runner := server.rooms.get(room)) is not None:
            server.rooms.unload(runner)
    for carer in carers:
        await carer.look()
    assert [server.rooms.get(room) is not None for server in two.servers].count(True) == 1


def has_lost(server: Server, room: RoomId) -> bool:
    """Whether the room knows that Ben's connection is gone."""
    runner = server.rooms.get(room)
    return runner is not None and runner.state.seats[BEN].connection is None


class Later:
    """The clock of a time when the grace of a seat is over."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def now_ms(self) -> int:
        return self._clock.now_ms() + 2 * SEAT_GRACE_MS


async def test_time_outs_are_first_those_of_the_home(two: Two) -> None:
    """Of all nodes one does not wait, whichever room it is; the others do, in case that it does not come to it."""
    systems = [server.system for server in two.servers if server.system is not None]
    await until(lambda: all(len(system.nodes.live()) == 2 for system in systems))
    rooms = [RoomId(f"room {number}") for number in range(50)]
    waits = [sorted(system.defer_ms(room) for system in systems) for room in rooms]
    assert waits == [[0, DEFER_MS]] * len(rooms)
    assert len({systems[0].defer_ms(room) for room in rooms}) == 2


async def rooms_by_node(server: Server) -> dict[NodeId, tuple[RoomId, ...]]:
    """Where people may have seats, by the lists that nodes leave for the others."""
    assert server.system is not None
    nodes = server.system.nodes
    found = {info.node: await nodes.registry.rooms_of(info.node) for info in nodes.live()}
    return {node: rooms for node, rooms in found.items() if rooms}


async def test_nodes_are_listed_and_drained_from_a_terminal(two: Two) -> None:
    """Which asks through Redis; the node that was named hears of it, no other."""
    asked: list[int] = []
    for number, server in enumerate(two.servers):
        server.on_drain(lambda number=number: asked.append(number))  # type: ignore[misc]
    listed = await _holdspace("node", "list", "--redis", two.redis.url)
    assert {info["node"] for info in listed["nodes"]} == {server.node for server in two.servers}
    name = two.servers[1].node
    assert await _holdspace("node", "drain", name, "--redis", two.redis.url) == {"draining": [name]}
    await until(lambda: bool(asked))
    assert asked == [1]


async def _holdspace(*words: str) -> Any:  # noqa: ANN401 - as JSON has it
    """What the command answers."""
    program = Path(sys.executable).with_name("holdspace")
    process = await asyncio.create_subprocess_exec(program, *words, "--json", stdout=asyncio.subprocess.PIPE)
    async with asyncio.timeout(30):
        out, _ = await process.communicate()
    return json.loads(out)
