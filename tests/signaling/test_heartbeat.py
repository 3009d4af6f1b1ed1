# SPDX-License-Identifier: Apache-2.0
"""Pings and pongs of Engine.IO, and what is left of a connection that has ended."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import ClientSession, WSMsgType

from server.errors import DisconnectCode
from server.rooms.state import Presence
from server.signaling import transport
from tests.signaling.clients import RawSocket, Venue, token

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def http() -> AsyncIterator[ClientSession]:
    """A client session."""
    async with ClientSession() as session:
        yield session


async def _ping(raw: RawSocket) -> None:
    async with asyncio.timeout(5):
        while (message := await raw.websocket.receive()).type is not WSMsgType.TEXT:
            assert message.type is WSMsgType.BINARY
    assert message.data == "2"


async def test_a_ping_follows_each_pong(venue: Venue, http: ClientSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """One at a time: pongs that nobody asked for bring no further ones."""
    monkeypatch.setattr(transport, "PING_INTERVAL_S", 0.3)
    raw = await RawSocket.open(http, venue.url)
    await raw.connect(token=token(venue.room))
    for _ in range(5):
        await raw.websocket.send_str("3")
    for _ in range(3):
        await _ping(raw)
        with pytest.raises(TimeoutError):
            await raw.websocket.receive(timeout=0.1)
        await raw.websocket.send_str("3")
    await raw.websocket.close()


async def test_without_pongs_the_connection_ends(
    venue: Venue, http: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of somebody who says other things: what is heard of the way back is in pongs alone."""
    monkeypatch.setattr(transport, "PING_INTERVAL_S", 0.1)
    monkeypatch.setattr(transport, "PING_TIMEOUT_S", 0.3)
    raw = await RawSocket.open(http, venue.url)
    await raw.connect(token=token(venue.room, "eve"))
    await raw.send(
        {"type": 2, "nsp": "/", "id": 1, "data": ["command", {"id": "1", "command": {"type": "raise_hand"}}]}
    )
    assert await raw.goodbye() == DisconnectCode.CONNECTION_LOST


async def test_nothing_is_left_of_a_connection(venue: Venue, http: ClientSession) -> None:
    """As soon as it has ended, whoever ended it: a crowd that comes and goes takes no memory."""
    ann = await venue.join("ann")
    raw = await RawSocket.open(http, venue.url)
    await raw.connect(token=token(venue.room, "eve"))
    sockets = venue.server._sockets.eio.sockets  # noqa: SLF001 - the server's side of it
    socket = weakref.ref(next(reversed(sockets.values())))
    count = len(sockets)
    await raw.websocket.close()
    await ann.until(lambda: any(each.presence is Presence.LOST for each in ann.view.participants.values()))
    for _ in range(500):
        if len(sockets) < count:
            break
        await asyncio.sleep(0.01)
    gc.collect()
    assert socket() is None
