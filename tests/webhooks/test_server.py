# SPDX-License-Identifier: Apache-2.0
"""One real server without a Redis, and a platform that is told of a whole session."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from aiohttp import ClientSession

from server.api.access import api_token
from server.app import Server
from server.rooms.commands import Leave, NextPhase, RequestHelp
from server.rooms.state import Role
from tests.signaling.clients import KEY, Person, config, fresh_room
from tests.webhooks.receiver import SECRET, Platform

CANARY = "canaryword"
SENT = 'holdspace_webhooks_total{outcome="sent"} 7.0'
NONE_WAITS = "holdspace_webhooks_waiting 0.0"


async def metrics(server: Server) -> str:
    """What operators see."""
    async with ClientSession() as http, http.get(f"http://127.0.0.1:{server.observatory.port}/metrics") as answer:
        return await answer.text()


async def test_a_platform_follows_a_session(tmp_path: Path) -> None:
    """By the references of its own links; the metrics say what was sent; names and words stay where they were."""
    async with Platform() as platform:
        settings = {"webhook_url": platform.url, "webhook_secret": SECRET, "ops_port": 0, "room_title": CANARY}
        async with Server(config(tmp_path, **settings)) as server:
            room, url = fresh_room(), f"http://127.0.0.1:{server.port}"
            headers = {"Authorization": f"Bearer {api_token(KEY, int(time.time()))}"}
            async with ClientSession(url, headers=headers) as http:
                wish = {"participant": "u-7", "reference": "case-31", "name": CANARY}
                async with http.post(f"/api/v1/rooms/{room}/links", json=wish) as answer:
                    link = await answer.json()
                ann = await Person(url, room).join("ann", Role.MODERATOR)
                ben = await Person(url, room).connect(token=link["token"], name=CANARY)
                await ann.do(NextPhase())
                await ben.do(RequestHelp())
                await ben.do(Leave())
                async with http.post(f"/api/v1/rooms/{room}/end", json={"reason": "cancelled"}) as answer:
                    assert answer.status == 200
            await platform.until(lambda: len(platform.taken) == 7)
            async with asyncio.timeout(10):
                while not {SENT, NONE_WAITS} <= set((await metrics(server)).splitlines()):  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(0.05)
            await ann.close()
            await ben.close()
    assert platform.events == [
        *["participant_joined", "participant_joined", "session_started", "support_requested", "participant_left"],
        *["session_ended", "participant_left"],
    ]
    assert {each["room"] for each in platform.taken} == {room}
    assert [each.get("reference") for each in platform.taken[1:5]] == ["case-31", None, "case-31", "case-31"]
    summary = {each["participant"]: each for each in platform.taken[5]["attendance"]}
    assert (summary["u-7"]["reference"], summary["ann"]["role"]) == ("case-31", "moderator")
    assert platform.taken[5]["ended"] == "cancelled"
    assert not any(CANARY.encode() in body for body in platform.bodies.values())
