# SPDX-License-Identifier: Apache-2.0
"""The Python client in a system of two servers, of which one goes."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest
from aiohttp import ClientSession

from holdspace_client import MAIN, Session
from holdspace_client import commands as c
from holdspace_client.protocol.signaling.messages import Disconnecting, Notice
from loadtest.embedded import EMBEDDED, redis_at
from loadtest.serving import OwnServer, free_port, fresh_key, own_server
from server.ids import ParticipantId, RoomId
from server.rooms.state import Role

ROOM = RoomId("two-servers")


async def _two_servers(stack: AsyncExitStack) -> tuple[OwnServer, OwnServer]:
    redis, key = await stack.enter_async_context(redis_at(EMBEDDED)), fresh_key()

    async def server() -> OwnServer:
        port = free_port()
        options = ["--redis", redis, "--node-url", f"http://127.0.0.1:{port}", "--auto-admit", "--log-level", "warning"]
        return await stack.enter_async_context(own_server(port, *options, "--media-workers", "1", key=key))

    return await server(), await server()


@pytest.mark.slow
@pytest.mark.parametrize("end", ["drained", "killed"])
async def test_a_session_goes_on_at_the_other_server(end: str) -> None:
    """Whether the server says goodbye or not: same seat, nothing missed, and what was being said is said once."""
    async with AsyncExitStack() as stack:
        here, there = await _two_servers(stack)
        http = await stack.enter_async_context(ClientSession())

        def person(server: OwnServer, name: str) -> Session:
            token = server.token(ROOM, Role.PARTICIPANT, person=ParticipantId(name))
            session = Session(http, server.url, token, name=name)
            stack.push_async_callback(session.close)
            return session

        ann, ben = person(here, "ann"), person(there, "ben")
        told: list[Notice] = []
        ann.on_notice = told.append
        await ann.join()
        await ben.join()
        keeping = asyncio.create_task(ann.keep())
        stack.callback(keeping.cancel)
        await ben.do(c.SendChat("before"))
        await ann.until(lambda _: ann.servers == (here.url, there.url))
        (here.process.kill if end == "killed" else here.process.terminate)()
        await ann.until_disconnected(20)
        await ben.do(c.SendChat("meanwhile"))
        await ann.ensure(c.SendChat("after"))
        await ann.until(lambda view: len(view.chat[MAIN]) == 3)
        assert sorted(message.text for message in ben.view.chat[MAIN]) == ["after", "before", "meanwhile"]
        assert ann.position == ben.position
        assert ann.snapshots == 1
        assert any(isinstance(notice, Disconnecting) for notice in told) is (end == "drained")
