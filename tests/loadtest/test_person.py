# SPDX-License-Identifier: Apache-2.0
"""A synthetic person against a real server: takes part, comes back, goes when it is over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack

import pytest
from aiohttp import ClientSession

from holdspace_client.protocol.errors import DisconnectCode
from holdspace_client.protocol.rooms import commands as c
from holdspace_client.protocol.rooms.state import Presence
from loadtest.clip import Signatures, prepared
from loadtest.pacer import Pacer
from loadtest.participant import Participant
from loadtest.peer import Peer
from loadtest.person import Stage, SyntheticPerson
from loadtest.receiver import Kind
from loadtest.serving import free_port, own_server
from server.ids import ParticipantId, RoomId
from server.rooms.state import Role

ROOM = RoomId("room")
CLIPS = (prepared(0), prepared(1))


async def happens(condition: Callable[[], bool]) -> None:
    """Packets tell nobody that they came: look every 10 ms, for at most 20 s."""
    for _ in range(2_000):
        if condition():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it did not happen within 20 s")


async def test_a_synthetic_person_comes_back() -> None:
    """After a lost connection in the same seat, after a lost peer with a new one; it goes with the session's end."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(own_server(free_port(), "--auto-admit", "--log-level", "warning"))
        http = await stack.enter_async_context(ClientSession())
        pacer = Pacer()
        stack.callback(pacer.close)
        signatures = Signatures(CLIPS)
        mod = Participant(http, server.url, server.token(ROOM, Role.MODERATOR, person=ParticipantId("mod")), name="Mod")
        await mod.join()
        stack.push_async_callback(mod.close)
        eyes = Peer(CLIPS[1], pacer, signatures=signatures, slots=2)
        await mod.publish(eyes)

        stage = Stage(http, server.url, pacer, CLIPS, signatures, slots=2)
        ana = await SyntheticPerson.arrive(stage, 0, server.token(ROOM, Role.PARTICIPANT), "Ana (demo)")
        stack.push_async_callback(ana.close)
        living = asyncio.create_task(ana.live())
        await happens(lambda: eyes.reception.clips(Kind.VIDEO) == {0})

        identity = ana.participant.id
        await ana.participant.drop()
        await mod.until(lambda view: view.participants[identity].presence is Presence.LOST)
        await mod.until(lambda view: view.participants[identity].presence is Presence.CONNECTED)
        assert mod.view.participants[identity].camera

        first = ana.participant.peer
        assert first is not None
        await first.close()
        await happens(lambda: ana.participant.peer not in (None, first))
        eyes.reception.take()
        await happens(lambda: eyes.reception.clips(Kind.VIDEO) == {0})

        await mod.do(c.EndSession())
        assert await living is DisconnectCode.SESSION_OVER
