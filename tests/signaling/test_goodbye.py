# SPDX-License-Identifier: Apache-2.0
"""The end of a WebSocket, frame by frame."""

from __future__ import annotations

import asyncio

import pytest

from server.app import Server

pytestmark = pytest.mark.asyncio(loop_scope="session")

CLIENT_CLOSE = b"\x88\x82\x00\x00\x00\x00\x03\xe8"
"""A masked close frame, 1000."""


async def _frames_until_the_end(port: int, *said: bytes) -> list[int]:
    """Opcodes of all frames the server sends on a fresh connection on which the client says this."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
        b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OTAxMjM0NQ==\r\n\r\n"
    )
    await reader.readuntil(b"\r\n\r\n")
    opcodes: list[int] = []
    unsaid = list(said)
    async with asyncio.timeout(10):
        while head := await reader.read(2):
            length = head[1]
            if length == 126:
                length = int.from_bytes(await reader.readexactly(2))
            await reader.readexactly(length)
            opcodes.append(head[0] & 0x0F)
            if unsaid:
                writer.write(unsaid.pop(0))
            elif opcodes[-1] == 8:
                writer.write(CLIENT_CLOSE)
    writer.close()
    return opcodes


@pytest.mark.parametrize("said", [b"\x81\x81\x00\x00\x00\x00x", CLIENT_CLOSE])
async def test_goodbye_is_said_once(shared_server: Server, said: bytes) -> None:
    """One close frame, whoever began, and nothing after it (RFC 6455 section 5.5.1)."""
    opcodes = await _frames_until_the_end(shared_server.port, said)
    assert opcodes.count(8) == 1
    assert opcodes[-1] == 8
