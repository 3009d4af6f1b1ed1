# SPDX-License-Identifier: Apache-2.0
"""Webhooks of two real servers on a real Redis, one of which is killed while it sends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from aiohttp import ClientSession, web

from server.api.access import api_token
from server.cluster.connect import client_of, disconnect
from server.cluster.redis_log import RedisLog
from server.ids import RoomId
from server.rooms.commands import NextPhase, RaiseHand
from server.rooms.state import Role
from server.runner.core import ROOM_RULES
from server.webhooks.news import news_of
from tests.cluster.servers import RunningRedis, redis_server
from tests.faults.nodes import Node
from tests.signaling.clients import KEY, Person, fresh_room
from tests.webhooks.receiver import SECRET, Platform

pytestmark = pytest.mark.slow


class Scene:
    """Two servers and the platform that they tell."""

    def __init__(self, platform: Platform, redis: RunningRedis, nodes: list[Node]) -> None:
        self.platform = platform
        self.redis = redis
        self.nodes = nodes
        self.rooms = [fresh_room() for _ in range(8)]
        self.people: list[Person] = []

    async def gather(self) -> None:
        """In each room a moderator at one server, somebody at the other; the session begins."""
        for number, room in enumerate(self.rooms):
            mod = Person(self.nodes[number % 2].url, room)
            ben = Person(self.nodes[(number + 1) % 2].url, room)
            self.people += [await mod.join("mod", Role.MODERATOR), await ben.join("ben")]
            await mod.do(NextPhase())
            await ben.do(RaiseHand())

    async def truth(self, room: RoomId) -> list[str]:
        """The ids of all that there is to tell of a room, in order, as its log has it."""
        client = client_of(self.redis.url)
        try:
            loaded = await RedisLog(client).load(room)
        finally:
            await disconnect(client)
        assert loaded is not None
        assert loaded.snapshot_seq == 0
        state, ids = loaded.snapshot, list[str]()
        for seq, entry in enumerate(loaded.entries, 1):
            before, state = state, ROOM_RULES.fold(state, entry, seq)
            bodies = news_of(before, state, entry, loaded.epoch, seq)
            ids += [msgspec.json.decode(body)["id"] for body in bodies]
        return ids

    def told(self, room: RoomId) -> list[str]:
        """The ids of what the platform has taken of a room, each where it first came."""
        return list(dict.fromkeys(each["id"] for each in self.platform.taken if each["room"] == room))

    def kinds(self, room: RoomId) -> list[str]:
        """What these are."""
        return list({each["id"]: each["event"] for each in self.platform.taken if each["room"] == room}.values())


@asynccontextmanager
async def started(folder: Path) -> AsyncIterator[Scene]:
    """All of them."""
    async with AsyncExitStack() as stack:
        platform = await stack.enter_async_context(Platform())
        redis = await stack.enter_async_context(redis_server("redis", appendonly=True))
        environment = {"HOLDSPACE_WEBHOOK_URL": platform.url, "HOLDSPACE_WEBHOOK_SECRET": SECRET}
        options = ("--redis", redis.url, "--media-workers", "1", "--auto-admit")
        nodes = [Node(name, KEY, folder, *options, environment=environment) for name in ("a", "b")]
        for node in nodes:
            stack.push_async_callback(node.close)
        await asyncio.gather(*(node.start() for node in nodes))
        scene = Scene(platform, redis, nodes)
        yield scene
        for person in scene.people:
            await person.close()


async def slowly(scene: Scene) -> None:
    """From now on the platform takes a while over each piece, so that some are always on their way."""

    async def slow(request: web.Request) -> web.Response:
        said = msgspec.json.decode(await request.read())
        await asyncio.sleep(0.15)
        scene.platform.taken.append(said)
        return web.Response()

    scene.platform.answer = slow


async def all_is_told(scene: Scene) -> None:
    """In each room one person was at the server that is gone; all that happened is told, in the order of its log."""
    await scene.platform.until(lambda: all("participant_lost" in scene.kinds(room) for room in scene.rooms), 40)
    async with asyncio.timeout(20):
        while [scene.told(room) for room in scene.rooms] != [await scene.truth(room) for room in scene.rooms]:  # noqa: ASYNC110 - of others
            await asyncio.sleep(0.2)
    for room in scene.rooms:
        assert scene.kinds(room)[:3] == ["participant_joined", "participant_joined", "session_started"]


async def test_the_death_of_the_sender_loses_nothing(tmp_path: Path) -> None:
    """Each piece comes, at least once and always the same; attendance and the list of rooms are there, too."""
    async with started(tmp_path) as scene:
        await slowly(scene)
        await scene.gather()
        await scene.platform.until(lambda: len(scene.platform.taken) >= 5)
        await scene.nodes[0].kill()
        await all_is_told(scene)
        async with ClientSession(headers={"Authorization": f"Bearer {api_token(KEY, int(time.time()))}"}) as http:
            async with http.get(f"{scene.nodes[1].url}/api/v1/rooms", params={"limit": "100"}) as answer:
                assert {each["room"] for each in (await answer.json())["rooms"]} == set(scene.rooms)
            async with http.get(f"{scene.nodes[1].url}/api/v1/rooms/{scene.rooms[0]}/attendance") as answer:
                people = (await answer.json())["people"]
        assert {each["participant"] for each in people} == {"mod", "ben"}
        assert [len(each["stays"]) for each in people] == [1, 1]
        assert sum(each["stays"][0]["to_ms"] is not None for each in people) == 1


async def test_a_sender_that_sleeps_brings_nothing_into_disorder(tmp_path: Path) -> None:
    """Another takes over; when it wakes, what it says again is known, and nothing new comes too early."""
    async with started(tmp_path) as scene:
        await slowly(scene)
        await scene.gather()
        await scene.platform.until(lambda: len(scene.platform.taken) >= 5)
        scene.nodes[0].pause()
        await scene.platform.until(lambda: any("participant_lost" in scene.kinds(room) for room in scene.rooms), 40)
        scene.nodes[0].resume()
        await all_is_told(scene)
