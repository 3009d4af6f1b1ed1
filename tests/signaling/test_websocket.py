# SPDX-License-Identifier: Apache-2.0
"""RFC 6455 over a plain socket, grouped as the Autobahn suite is: what is answered, and which close code ends it.

aiohttp lets two things pass that the RFC does not: frames without a mask, and close codes that nobody has defined.
"""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import Iterable
from typing import Final, Self

import msgspec
import pytest

from server.signaling.messages import PROTOCOL_VERSION
from tests.signaling.clients import Venue, token

pytestmark = pytest.mark.asyncio(loop_scope="session")

REQUEST: Final = (
    "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
HAND: Final = msgspec.msgpack.encode(
    {"type": 2, "nsp": "/", "id": 7, "data": ["command", {"id": "h", "command": {"type": "raise_hand"}}]}
)
PATIENCE_S: Final = 10
ANSWERED: Final = "answered"


def frame(opcode: int, data: bytes = b"", *, fin: bool = True, rsv: int = 0) -> bytes:
    """A masked frame (section 5.2)."""
    size = len(data)
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 1 << 16:
        length = b"\xfe" + struct.pack(">H", size)
    else:
        length = b"\xff" + struct.pack(">Q", size)
    mask = os.urandom(4)
    return bytes([fin << 7 | rsv << 4 | opcode]) + length + mask + bytes(c ^ mask[i % 4] for i, c in enumerate(data))


def close(code: int, reason: bytes = b"") -> bytes:
    """A close frame."""
    return frame(CLOSE, struct.pack(">H", code) + reason)


def announced(size: int) -> bytes:
    """The beginning of a frame that says to be so long."""
    return b"\x82\xff" + struct.pack(">Q", size) + b"mask" + b"data"


class Wire:
    """A socket past the handshake."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: str) -> None:
        self._reader = reader
        self.writer = writer
        self.head = head

    @classmethod
    async def open(cls, port: int, *headers: str) -> Self:
        """Up to the end of the response's header."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write((REQUEST + "".join(f"{each}\r\n" for each in headers) + "\r\n").encode())
        return cls(reader, writer, (await reader.readuntil(b"\r\n\r\n")).decode())

    async def receive(self) -> tuple[int, bytes]:
        """Opcode and payload of the next frame, which is whole and not masked."""
        first, size = await self._reader.readexactly(2)
        assert first & 0xF0 == 0x80
        if size == 126:
            (size,) = struct.unpack(">H", await self._reader.readexactly(2))
        elif size == 127:
            (size,) = struct.unpack(">Q", await self._reader.readexactly(8))
        return first & 0x0F, await self._reader.readexactly(size)

    async def take_seat(self, venue: Venue) -> None:
        """Up to the Welcome."""
        auth = {"token": token(venue.room, "ann"), "protocol": PROTOCOL_VERSION}
        self.writer.write(frame(BINARY, msgspec.msgpack.encode({"type": 0, "nsp": "/", "data": auth})))
        while True:
            opcode, data = await self.receive()
            if opcode == BINARY and msgspec.msgpack.decode(data)["type"] == 2:
                return

    async def outcome(self) -> tuple[list[bytes], str | int]:
        """What pings were answered with, and then: that the command was answered, or the close code."""
        pongs: list[bytes] = []
        while True:
            opcode, data = await self.receive()
            if opcode == PONG:
                pongs.append(data)
            elif opcode == CLOSE:
                return pongs, struct.unpack(">H", data)[0]
            elif msgspec.msgpack.decode(data)["type"] == 3:
                return pongs, ANSWERED


PINGED: Final = "pinged"
CASES: Final[dict[str, tuple[Iterable[bytes], str | int]]] = {
    "1 whole": ([frame(BINARY, HAND)], ANSWERED),
    "1 empty text": ([frame(TEXT)], 1000),
    "2 ping": ([frame(PING, b"p" * 125), frame(BINARY, HAND)], PINGED),
    "2 ping without a payload": ([frame(PING), frame(BINARY, HAND)], PINGED),
    "2 ping of 126": ([frame(PING, b"p" * 126)], 1002),
    "2 pong that nobody asked for": ([frame(PONG, b"x"), frame(BINARY, HAND)], ANSWERED),
    "3 compressed without a word": ([frame(BINARY, HAND, rsv=4)], 1002),
    "3 second reserved bit": ([frame(BINARY, HAND, rsv=2)], 1002),
    "3 third reserved bit": ([frame(PING, rsv=1)], 1002),
    "4 reserved opcode": ([frame(3)], 1002),
    "4 reserved control opcode": ([frame(11)], 1002),
    "5 in three": (
        [frame(BINARY, HAND[:9], fin=False), frame(0, HAND[9:20], fin=False), frame(0, HAND[20:])],
        ANSWERED,
    ),
    "5 ping between": ([frame(BINARY, HAND[:9], fin=False), frame(PING, b"p"), frame(0, HAND[9:])], PINGED),
    "5 a thousand empty ones": (
        [frame(BINARY, fin=False), *[frame(0, fin=False)] * 1_000, frame(0, HAND)],
        ANSWERED,
    ),
    "5 ping in two": ([frame(PING, b"p", fin=False)], 1002),
    "5 continuation of nothing": ([frame(CONTINUATION, HAND)], 1002),
    "5 another message inside": ([frame(BINARY, HAND[:9], fin=False), frame(BINARY, HAND)], 1002),
    "6 a letter in two": ([frame(TEXT, b"\xc3", fin=False), frame(0, b"\xa9")], 1000),
    "6 a surrogate": ([frame(TEXT, b"\xce\xba\xed\xa0\x80")], 1007),
    "6 overlong": ([frame(TEXT, b"\xc0\xaf")], 1007),
    "6 broken in the second": ([frame(TEXT, b"\xce", fin=False), frame(0, b"\xff")], 1007),
    "7 close": ([close(1000, b"bye")], 1000),
    "7 close without a code": ([frame(CLOSE)], 1000),
    "7 a command after it": ([close(1000), frame(BINARY, HAND)], 1000),
    "7 half a code": ([frame(CLOSE, b"\x03")], 1002),
    "7 a code that is never sent": ([close(1005)], 1002),
    "7 a code below all": ([close(999)], 1002),
    "7 a code of one's own": ([close(3999)], 1000),
    "7 a reason that is no UTF-8": ([close(1000, b"\xce\xff")], 1007),
    "7 a reason of 124": ([close(1000, b"x" * 124)], 1002),
    "9 too long in one": ([announced(1 << 20)], 1009),
    "9 more than there can be": ([announced(1 << 63)], 1009),
    "9 too long in pieces": (
        [frame(BINARY, bytes(60_000), fin=False), *[frame(0, bytes(60_000), fin=False)] * 4],
        1009,
    ),
    "10 a byte at a time": ([bytes([each]) for each in frame(BINARY, HAND)], ANSWERED),
    "HTTP": ([b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"], 1002),
}


@pytest.mark.parametrize("case", CASES)
async def test_frames(venue: Venue, case: str) -> None:
    """What is well-formed is answered; what is not ends with the code that the RFC has for it."""
    frames, expected = CASES[case]
    wire = await Wire.open(venue.server.port)
    async with asyncio.timeout(PATIENCE_S):
        await wire.take_seat(venue)
        for each in frames:
            wire.writer.write(each)
            if len(each) == 1:
                await wire.writer.drain()
        pongs, outcome = await wire.outcome()
    wire.writer.close()
    assert outcome == (ANSWERED if expected == PINGED else expected)
    assert bool(pongs) is (expected == PINGED)


@pytest.mark.parametrize(
    "offer",
    [
        "permessage-deflate",
        "permessage-deflate; client_max_window_bits; server_no_context_takeover",
        "x-webkit-deflate-frame",
        "nothing, permessage-deflate;;;",
    ],
)
async def test_compression_is_declined(venue: Venue, offer: str) -> None:
    """An offer is no reason to refuse somebody, whatever stands in it; none is taken up (RFC 7692 section 5.1)."""
    wire = await Wire.open(venue.server.port, f"Sec-WebSocket-Extensions: {offer}")
    assert " 101 " in wire.head.partition("\r\n")[0]
    assert "extensions" not in wire.head.lower()
    async with asyncio.timeout(PATIENCE_S):
        await wire.take_seat(venue)
        wire.writer.write(frame(BINARY, HAND))
        assert await wire.outcome() == ([], ANSWERED)
    wire.writer.close()
