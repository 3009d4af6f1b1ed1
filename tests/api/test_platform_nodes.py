# SPDX-License-Identifier: Apache-2.0
"""/api/v1 of two servers on one Redis: whichever is asked, it is the same system."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from server.api.access import api_token
from server.app import Server
from server.errors import DisconnectCode
from server.ids import RoomId
from server.rooms.commands import NextPhase
from server.rooms.state import Role
from tests.cluster.servers import redis_server
from tests.signaling.clients import KEY, Person, config, fresh_room

pytestmark = pytest.mark.slow


async def test_any_server_answers_for_all(tmp_path: Path) -> None:
    """It lists rooms of the other, tells who was there without loading them, and ends them for the other's people."""
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(redis_server("valkey"))
        settings: dict[str, Any] = {"redis": redis.url, "media_workers": 1}
        servers = [
            await stack.enter_async_context(Server(config(tmp_path / name, **settings))) for name in ("here", "there")
        ]
        headers = {"Authorization": f"Bearer {api_token(KEY, int(time.time()))}"}
        here, there = [
            await stack.enter_async_context(ClientSession(f"http://127.0.0.1:{server.port}", headers=headers))
            for server in servers
        ]
        room, other = fresh_room(), fresh_room()
        ann = await Person(f"http://127.0.0.1:{servers[0].port}", room).join("ann", Role.MODERATOR)
        ben = await Person(f"http://127.0.0.1:{servers[0].port}", room).join("ben")
        await ann.do(NextPhase())
        async with there.post("/api/v1/rooms", json={"room": other}) as answer:
            assert answer.status == 201
        for http in (here, there):
            async with http.get("/api/v1/rooms") as answer:
                listed = {each["room"]: each for each in (await answer.json())["rooms"]}
            assert listed.keys() == {room, other}
            assert (listed[room]["status"], listed[room]["people"]) == ("live", 2)
        async with there.get(f"/api/v1/rooms/{room}/attendance") as answer:
            assert [each["participant"] for each in (await answer.json())["people"]] == ["ann", "ben"]
        assert servers[1].rooms.get(RoomId(room)) is None
        wish = {"reason": "safety", "debrief": True}
        both = (http.post(f"/api/v1/rooms/{room}/end", json=wish) for http in (here, there))
        for answer in await asyncio.gather(*both):
            assert await answer.json() == {"room": room, "status": "debrief"}
        await ben.until(lambda: ben.gone)
        assert ben.disconnecting == DisconnectCode.SESSION_OVER
        async with there.post(f"/api/v1/rooms/{room}/end", json={}) as answer:
            assert await answer.json() == {"room": room, "status": "ended"}
        await ann.until(lambda: ann.gone)
        async with here.get(f"/api/v1/rooms/{room}/attendance") as answer:
            people = (await answer.json())["people"]
        assert all(stay["to_ms"] is not None for each in people for stay in each["stays"])
