# SPDX-License-Identifier: Apache-2.0
"""A Socket.IO client that costs next to nothing: a socket, and just enough of the frames to count and to time them.

Packets are MessagePack (`socket.io-msgpack-parser`). Of what comes in nothing but a packet's type is looked at.
"""

from __future__ import annotations

import base64
import os
import socket
from collections.abc import Callable, Mapping
from typing import Final

from msgspec import msgpack

CONNECT: Final = 0
EVENT: Final = 2
ACK: Final = 3
CONNECT_ERROR: Final = 4
_TYPE_AT: Final = 6
_KEY: Final = b"\xa4type"
_EVENT: Final = b"\xa5event"
_REFUSED: Final = b"\xa6reject"
_HEAD: Final = 20
_NAME: Final = 40
"""Where the type of a packet, and the name of an event, stand at the latest."""

_LONG: Final = 126
_LONGER: Final = 127
_READ_BYTES: Final = 1 << 18
_MASK: Final = b"\x00\x00\x00\x00"
"""A mask of zeros is as good as any other to a server, and costs us nothing (RFC 6455 section 5.3)."""


class Disconnected(RuntimeError):
    """The server ended a connection that was to last."""


class Client:
    """One connection. `on_event` is called once for each event, `on_ack` once for each command that was taken."""

    __slots__ = ("_at", "_data", "_next", "on_ack", "on_event", "sock")

    def __init__(self, address: tuple[str, int], auth: Mapping[str, object]) -> None:
        """Connect, all the way into the room. Raises Disconnected or OSError."""
        self.on_event: Callable[[], None] = _nothing
        self.on_ack: Callable[[], None] = _nothing
        self._data = bytearray()
        self._next = 0
        self.sock = socket.create_connection(address, timeout=20)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._upgrade(address)
        self._expect(lambda payload: payload[:1] == b"0")
        self._send({"type": 0, "nsp": "/", "data": auth})
        self._expect(lambda payload: _kind(payload, 0, len(payload)) == CONNECT)
        self._expect(lambda payload: _kind(payload, 0, len(payload)) == EVENT)
        del self._data[: self.take(bytes(self._data))]  # who else came meanwhile
        self.sock.setblocking(False)  # noqa: FBT003 - the standard library's signature

    def command(self, command: Mapping[str, object]) -> None:
        """Send a command that is to be answered."""
        number = self._next
        self._next += 1
        frame = {"id": f"c{number}", "command": command}
        self._send({"type": EVENT, "nsp": "/", "data": ("command", frame), "id": number})

    def read(self) -> None:
        """Take what has come. Raises Disconnected."""
        data = self.sock.recv(_READ_BYTES)
        if not data:
            raise Disconnected
        if self._data:
            self._data += data
            used = self.take(bytes(self._data))
            del self._data[:used]
        else:
            used = self.take(data)
            if used < len(data):
                self._data += data[used:]

    def close(self) -> None:
        """Without a goodbye."""
        self.sock.close()

    def take(self, data: bytes) -> int:
        """Tell of each whole frame; returns the bytes they took. Raises Disconnected at the last one."""
        at, size = 0, len(data)
        while at + 2 <= size:
            start, end = _body(data, at)
            if end > size or not end:
                break
            opcode = data[at] & 0x0F
            if opcode == 2:  # noqa: PLR2004 - binary
                kind = _kind(data, start, end)
                if kind == EVENT and data.find(_EVENT, start, start + _NAME) >= 0:
                    self.on_event()
                elif kind == ACK and data.find(_REFUSED, start, start + _NAME) < 0:
                    self.on_ack()
            elif opcode == 1 and data[start:end] == b"2":
                self._write(b"\x81", b"3")
            elif opcode == 8:  # noqa: PLR2004 - close
                raise Disconnected
            at = end
        return at

    def _upgrade(self, address: tuple[str, int]) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        request = (
            f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {address[0]}:{address[1]}\r\n"
            f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n"
        )
        self.sock.sendall(request.encode())
        while b"\r\n\r\n" not in self._data:
            self._more()
        head, _, rest = bytes(self._data).partition(b"\r\n\r\n")
        if b" 101 " not in head.split(b"\r\n", 1)[0]:
            raise Disconnected(head.split(b"\r\n", 1)[0].decode("latin-1"))
        self._data = bytearray(rest)

    def _expect(self, wanted: Callable[[bytes], bool]) -> None:
        """Wait for one frame and take it, and those before it, from what has come."""
        while True:
            data = bytes(self._data)
            at = 0
            while at + 2 <= len(data):
                start, end = _body(data, at)
                if not end or end > len(data):
                    break
                at = end
                if wanted(data[start:end]):
                    del self._data[:at]
                    return
                if _kind(data, start, end) == CONNECT_ERROR:
                    raise Disconnected(repr(data[start:end]))
            del self._data[:at]
            self._more()

    def _more(self) -> None:
        data = self.sock.recv(_READ_BYTES)
        if not data:
            raise Disconnected
        self._data += data

    def _send(self, packet: Mapping[str, object]) -> None:
        self._write(b"\x82", msgpack.encode(packet))

    def _write(self, opcode: bytes, payload: bytes) -> None:
        size = len(payload)
        length = bytes((0x80 | size,)) if size < _LONG else bytes((0x80 | _LONG,)) + size.to_bytes(2)
        self.sock.sendall(opcode + length + _MASK + payload)


def _body(data: bytes, at: int) -> tuple[int, int]:
    """Where the payload of the frame at `at` begins and ends; (0, 0) while its length is not there yet."""
    length = data[at + 1]
    if length < _LONG:
        return at + 2, at + 2 + length
    wide = 2 if length == _LONG else 8
    start = at + 2 + wide
    if start > len(data):
        return 0, 0
    return start, start + int.from_bytes(data[at + 2 : start])


def _kind(data: bytes, start: int, end: int) -> int:
    """The type of a packet; Node writes the number of an answer before it. -1: no packet."""
    at = start + _TYPE_AT
    if data[start + 1 : at] != _KEY:
        at = data.find(_KEY, start, min(end, start + _HEAD)) + len(_KEY)
        if at < len(_KEY):
            return -1
    return data[at]


def _nothing() -> None:
    pass
