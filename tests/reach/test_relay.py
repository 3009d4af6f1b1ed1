# SPDX-License-Identifier: Apache-2.0
"""The relay lets in whom we let in, for as long as we say, and reaches nothing but the media server (fault 60)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aioice.stun import TransactionFailed
from aioice.turn import TurnClientTcpProtocol

from loadtest.serving import free_port
from server.ids import ParticipantId, RoomId
from server.signaling.relays import LIFE_S, Relays
from tests.reach.relay import SECRET, coturn
from tests.reach.wall import require

HOST = "127.0.0.1"
MEDIA = "203.0.113.7"
ROOM, ANA = RoomId("tue"), ParticipantId("ana")
CHANNELS = iter(range(0x4000, 0x5000))


class Relay:
    """A relay, and clients of it over TCP."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._clients: list[TurnClientTcpProtocol] = []

    async def client(self, at: float, secret: str = SECRET) -> TurnClientTcpProtocol:
        """A client whose credential was made at this time."""
        (server,) = Relays(("turn:relay",), secret, wall=lambda: at).servers(ROOM, ANA)
        made = TurnClientTcpProtocol((HOST, self.port), server.username, server.credential, 600, 500)
        await asyncio.get_running_loop().create_connection(lambda: made, HOST, self.port)
        self._clients.append(made)
        return made

    async def close(self) -> None:
        """Give all relayed ports back."""
        for client in self._clients:
            if client.relayed_address is not None:
                await client.delete()


@pytest.fixture
async def relay(tmp_path: Path) -> AsyncIterator[Relay]:
    """With the configuration under deploy/."""
    require("turnserver")
    port = free_port()
    async with coturn(HOST, port, tmp_path, MEDIA):
        made = Relay(port)
        yield made
        await made.close()


async def test_a_fresh_credential_opens_a_relay_to_the_media_server(relay: Relay) -> None:
    """And it may be used again while it lasts, as a browser does."""
    for _ in range(2):
        client = await relay.client(time.time())
        await client.connect()
        await client.channel_bind(next(CHANNELS), (MEDIA, 5000))


async def test_an_old_or_forged_credential_opens_nothing(relay: Relay) -> None:
    """One that somebody kept after leaving, and one made with another secret: 401."""
    for client in (await relay.client(time.time() - LIFE_S - 1), await relay.client(time.time(), "x" * 32)):
        with pytest.raises(TransactionFailed) as refused:
            await client.connect()
        assert refused.value.response.error_code == 401


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "198.51.100.1", "0.0.0.0"],  # noqa: S104
)
async def test_a_relay_reaches_nobody_else(relay: Relay, address: str) -> None:
    """Loopback, private networks, the metadata service of a cloud, and any other machine: 403."""
    client = await relay.client(time.time())
    await client.connect()
    with pytest.raises(TransactionFailed) as refused:
        await client.channel_bind(next(CHANNELS), (address, 80))
    assert refused.value.response.error_code == 403
