# SPDX-License-Identifier: Apache-2.0
"""Server processes that die or sleep, as the system sees it from outside."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from aiohttp import ClientSession

from holdspace_client.protocol.errors import DisconnectCode
from holdspace_client.protocol.rooms import commands as c
from holdspace_client.protocol.rooms.state import Presence
from loadtest.participant import Participant
from loadtest.serving import OwnServer, free_port, fresh_key, own_server
from server.ids import ParticipantId, RoomId
from server.rooms.state import Role
from tests.cluster.servers import RunningRedis, redis_server

ROOM = RoomId("circle")
PATIENCE_S = 20.0


class Street:
    """Two server processes that know each other's address, and a way to join at either."""

    def __init__(self, redis: RunningRedis, servers: list[OwnServer], http: ClientSession) -> None:
        self.redis = redis
        self.servers = servers
        self.http = http
        self.people: list[Participant] = []

    async def join(self, node: int, name: str, role: Role = Role.PARTICIPANT) -> Participant:
        """Somebody new."""
        server = self.servers[node]
        person = Participant(self.http, server.url, server.token(ROOM, role, person=ParticipantId(name)), name=name)
        self.people.append(person)
        await person.join()
        return person

    def send(self, node: int, number: signal.Signals) -> None:
        """Send a signal to a server."""
        os.kill(self.servers[node].process.pid, number)


@pytest.fixture
async def street() -> AsyncIterator[Street]:
    """On a Valkey of its own."""
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(redis_server("valkey"))
        key = fresh_key()
        servers = []
        for port in (free_port(), free_port()):
            options = ("--auto-admit", "--log-level", "warning", "--media-workers", "1", "--redis", redis.url)
            address = ("--node-url", f"http://127.0.0.1:{port}")
            servers.append(await stack.enter_async_context(own_server(port, *options, *address, key=key)))
        street = Street(redis, servers, await stack.enter_async_context(ClientSession()))
        yield street
        for person in street.people:
            await person.close()


async def test_a_killed_node_loses_nobody(street: Street) -> None:
    """Its people resume at the other one, with their hands up; who does not is kept, and shown as lost."""
    ann = await street.join(0, "Ann", Role.MODERATOR)
    ben, cleo = await street.join(1, "Ben"), await street.join(1, "Cleo")
    await ben.do(c.RaiseHand())
    await ann.until(lambda view: {ben.id, cleo.id} <= view.participants.keys())
    street.send(1, signal.SIGKILL)
    await ben.until_disconnected()
    await ben.resume()
    assert [hand.participant for hand in ben.view.hands] == [ben.id]
    await ben.do(c.LowerHand(ben.id))
    await ann.until(lambda view: not view.hands)
    await ann.until(lambda view: view.participants[cleo.id].presence is Presence.LOST, PATIENCE_S)
    assert ann.view.participants[ben.id].presence is Presence.CONNECTED


async def test_a_node_that_slept_is_no_zombie(street: Street) -> None:
    """Given up after its lease; when it wakes it sends its people away to take their seats anew."""
    ann, ben = await street.join(0, "Ann", Role.MODERATOR), await street.join(1, "Ben")
    await ann.until(lambda view: ben.id in view.participants)
    street.send(1, signal.SIGSTOP)
    try:
        await ann.until(lambda view: view.participants[ben.id].presence is Presence.LOST, PATIENCE_S)
    finally:
        street.send(1, signal.SIGCONT)
    await ben.until_disconnected()
    await ben.resume()
    await ann.until(lambda view: view.participants[ben.id].presence is Presence.CONNECTED)


async def test_a_server_that_is_asked_to_go_sends_its_people_to_the_other(street: Street) -> None:
    """SIGTERM: everybody hears why and when to come back, keeps their place, and the process ends by itself."""
    stays, goes = await street.join(0, "ann"), await street.join(1, "ben")
    await goes.do(c.RaiseHand())
    await stays.until(lambda view: len(view.hands) == 1)
    street.send(1, signal.SIGTERM)
    assert await goes.until_disconnected(PATIENCE_S) is DisconnectCode.SERVER_RESTARTING
    await goes.resume()
    assert [hand.participant for hand in goes.view.hands] == ["ben"]
    await goes.do(c.LowerHand())
    await stays.until(lambda view: not view.hands)
    async with asyncio.timeout(PATIENCE_S):
        assert await street.servers[1].process.wait() == 0
    assert stays.connected


async def test_a_second_signal_does_not_wait(street: Street) -> None:
    """It ends the process with the status of the signal, also while a Redis is waited for that does not answer."""
    await street.join(1, "ben")
    street.redis.pause()
    street.send(1, signal.SIGTERM)
    await asyncio.sleep(0.1)  # two that are sent at once are one
    street.send(1, signal.SIGTERM)
    async with asyncio.timeout(PATIENCE_S):
        assert await street.servers[1].process.wait() == -signal.SIGTERM
