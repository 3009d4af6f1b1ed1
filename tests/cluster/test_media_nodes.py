# SPDX-License-Identifier: Apache-2.0
"""Three server processes, people with media on each, breakouts, and kill -9 of the one that carries the room."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio
from aiohttp import ClientSession

from holdspace_client import CommandRefused, NotAcknowledged
from holdspace_client.protocol.errors import JoinRefused
from holdspace_client.protocol.rooms import commands as c
from holdspace_client.protocol.rooms.state import AssignmentStrategy
from loadtest.clip import Signatures, prepared
from loadtest.pacer import Pacer
from loadtest.participant import Participant
from loadtest.peer import Peer
from loadtest.receiver import Kind
from loadtest.sender import Voice
from server.cluster.connect import Client, client_of, disconnect
from server.cluster.keys import Keys
from server.cluster.nodes import Registry
from server.cluster.placements import Placements
from server.ids import MAIN, ParticipantId, RoomId
from server.rooms.state import Role
from server.signaling.tokens import TokenKey
from tests.cluster.servers import redis_server
from tests.faults.nodes import Node, fresh_key, token

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

PEOPLE: Final = 4
CLIPS: Final = tuple(prepared(number) for number in range(PEOPLE))
SIGNATURES: Final = Signatures(CLIPS)
WATCHED_S: Final = 0.5
BACK_S: Final = 5.0
"""Within which media is promised to be back after the end of a node."""


class Someone:
    """A person on one of the nodes, who comes back through another one when theirs is gone, as a client does."""

    def __init__(self, stage: Stage, number: int) -> None:
        self.number = number
        node = stage.nodes[number % len(stage.nodes)]
        self._stage = stage
        self.said: list[str] = []
        role = Role.MODERATOR if number == 0 else Role.PARTICIPANT
        name = ParticipantId(f"p{number}")
        self.participant = Participant(stage.http, node.url, token(stage.key, stage.room, name, role), name=name)

    async def arrive(self) -> None:
        """With microphone and camera pressed."""
        await self.participant.join()
        await self._publish()
        await self.participant.set_microphone(on=True, voice=Voice.STEADY)
        await self.participant.set_camera(on=True)

    async def keep_going(self) -> None:
        """Resume and publish whenever that is needed, without end."""
        while True:
            try:
                if not self.participant.connected:
                    await self.participant.resume()
                if self.participant.peer is None:
                    await self._publish()
                    await self.participant.set_microphone(on=True, voice=Voice.STEADY)
                    await self.participant.set_camera(on=True)
            except (ConnectionError, TimeoutError, JoinRefused, NotAcknowledged, CommandRefused) as error:
                self.said.append(repr(error))
                await asyncio.sleep(0.1)
            await asyncio.sleep(0.02)

    def story(self) -> str:
        """What there is to say when it does not go well."""
        participant = self.participant
        state = "connected" if participant.connected else "away", "peer" if participant.peer else "no peer"
        sent = participant.peer.packets_sent if participant.peer else None
        shown = [(slot.source, slot.audio, slot.video, slot.paused) for slot in participant.slots.slots]
        return f"{self.number}: {state}, {participant.placement}, sent {sent}, shown {shown}, said {self.said}"

    def arriving(self) -> frozenset[int | None]:
        """Whose voice and picture have come since the last look."""
        peer = self.participant.peer
        if peer is None:
            return frozenset()
        came = frozenset.intersection(*(peer.reception.clips(kind) for kind in Kind))
        peer.reception.take()
        return came

    async def _publish(self) -> None:
        await self.participant.publish(Peer(CLIPS[self.number], self._stage.pacer, signatures=SIGNATURES, slots=3))


class Stage:
    """Three nodes on one Redis, and the people of one room."""

    def __init__(self, nodes: tuple[Node, ...], key: TokenKey, client: Client, http: ClientSession) -> None:
        self.nodes = nodes
        self.key = key
        self.http = http
        self.room = RoomId(secrets.token_hex(8))
        self.pacer = Pacer()
        self.people = tuple(Someone(self, number) for number in range(PEOPLE))
        self.going: list[asyncio.Task[None]] = []
        self._client = client

    async def carrier(self) -> Node:
        """The node whose worker carries the room."""
        place = await Placements(self._client, lambda room: Keys().key(room, "place")).find(self.room)
        assert place is not None
        (url,) = [info.url for info in await Registry(self._client).nodes() if info.node == place.node]
        (node,) = [node for node in self.nodes if node.url == url]
        return node

    async def settled(self, seconds: float) -> float:
        """Wait until everybody hears and sees everybody else in their place; how long it took, in seconds."""
        began = time.monotonic()
        waiting = {one.number: one for one in self.people}
        while waiting:
            for task in self.going:
                assert not task.done(), task.exception()
            for one in tuple(waiting.values()):
                if self._company(one) <= one.arriving():
                    del waiting[one.number]
            if time.monotonic() - began > seconds:
                pytest.fail(self._story(waiting))
            await asyncio.sleep(0.1)
        return time.monotonic() - began

    def _story(self, waiting: dict[int, Someone]) -> str:
        for number in waiting if self.going else ():
            self.going[number].print_stack()
        logs = [f"{node.name}:\n{node.log.read_text()[-3000:]}" for node in self.nodes]
        return "\n".join((f"{sorted(waiting)} wait", *(one.story() for one in self.people), *logs))

    async def apart(self, seconds: float) -> None:
        """Wait until nobody gets anything from anybody who is elsewhere."""
        async with asyncio.timeout(seconds):
            while await self._strangers():
                pass

    async def _strangers(self) -> dict[int, frozenset[int | None]]:
        """Whose media comes to whom although they are elsewhere."""
        for one in self.people:
            one.arriving()
        await asyncio.sleep(WATCHED_S)
        return {one.number: wrong for one in self.people if (wrong := one.arriving() - self._company(one))}

    def _company(self, one: Someone) -> frozenset[int]:
        place = one.participant.placement
        return frozenset(each.number for each in self.people if each is not one and each.participant.placement == place)


@pytest_asyncio.fixture(loop_scope="module")
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """Everybody in main, on the air."""
    key = fresh_key()
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(redis_server("redis"))
        client = client_of(redis.url)
        stack.push_async_callback(disconnect, client)
        nodes = []
        for name in ("a", "b", "c"):
            node = Node(
                name, key, tmp_path, "--auto-admit", "--redis", redis.url, "--media-workers", "1", "--media-port", "0"
            )
            stack.push_async_callback(node.close)
            nodes.append(node)
        await asyncio.gather(*(node.start() for node in nodes))
        http = await stack.enter_async_context(ClientSession())
        stage = Stage(tuple(nodes), key, client, http)
        for one in stage.people:
            await one.arrive()
        yield stage
        for task in stage.going:
            task.cancel()
        for one in stage.people:
            await one.participant.close()
        stage.pacer.close()


async def split(stage: Stage) -> None:
    """Two breakouts; the moderator stays in main."""
    moderator = stage.people[0].participant
    await moderator.do(c.DraftPlan(strategy=AssignmentStrategy.EVEN, rooms=2, duration_ms=600_000))
    view = await moderator.until(lambda view: view.breakouts.plan is not None)
    assert view.breakouts.plan is not None
    await moderator.do(c.OpenBreakouts(version=view.breakouts.plan.version, allow_alone=True))
    for one in stage.people[1:]:
        await moved(one.participant)


async def moved(participant: Participant) -> None:
    """Wait until this person is in a breakout."""
    await participant.until(lambda _: participant.placement not in (MAIN, None))


async def test_media_comes_back_when_its_node_is_killed(stage: Stage) -> None:
    """In the middle of breakouts: everybody hears and sees their own breakout again, and nobody else, in time."""
    await stage.settled(20)
    await split(stage)
    await stage.settled(10)
    places = [one.participant.placement for one in stage.people]
    await stage.apart(5)
    stage.going = [asyncio.create_task(one.keep_going()) for one in stage.people]
    await (await stage.carrier()).kill()
    for one in stage.people:
        one.arriving()
    took_s = await stage.settled(30)
    print(f"media of all back after {took_s:.2f} s")
    assert [one.participant.placement for one in stage.people] == places
    await stage.apart(5)
    assert took_s < BACK_S
