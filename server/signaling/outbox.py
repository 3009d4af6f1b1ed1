# SPDX-License-Identifier: Apache-2.0
"""What a client has not read yet: bounded by bytes and by age, written without a task or a queue of our own."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from server.signaling.codec import websocket_frame

MAX_OUTBOX_BYTES: Final = 1 << 20
MAX_OUTBOX_AGE_S: Final = 10.0
SOCKET_BUFFER_BYTES: Final = 128 * 1024
"""What the kernel may hold in addition; left to itself it grows to several MiB."""
MARK_EVERY_S: Final = 0.25
CLOSE_PATIENCE_S: Final = 2.0
CLOSE_FRAME: Final = b"\x88\x02\x03\xe8"
"""WebSocket close, 1000 (RFC 6455 section 7.4.1): our numbers travel in the notice before it."""


class EnginePacket(Protocol):
    """A packet that Engine.IO itself sends: open, ping, close, and answers to CONNECT."""

    def encode(self) -> bytes | str:
        """The payload of its WebSocket frame."""


class Outbox:
    """Stands where Engine.IO has its queue; `put` and `join` are the part of the queue that it uses.

    Frames are whole, so those of ours and aiohttp's control frames may take turns on one transport.
    """

    def __init__(self, transport: asyncio.Transport, overflow: Callable[[], None]) -> None:
        self._transport = transport
        self._overflow = overflow
        self._loop = asyncio.get_running_loop()
        self._written = 0
        self._marks: deque[tuple[int, float]] = deque()
        self._check: asyncio.TimerHandle | None = None
        self._closed = False
        bound = transport.get_extra_info("socket")
        if bound is not None:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BUFFER_BYTES)

    def write(self, frame: bytes) -> None:
        """Send one frame, or give the client up: what is too much is never stored."""
        if self._closed or self._transport.is_closing():
            return
        self._transport.write(frame)
        self._written += len(frame)
        waiting = self._transport.get_write_buffer_size()
        if not waiting:
            if self._marks:
                self._marks.clear()
        elif waiting - len(frame) > MAX_OUTBOX_BYTES:  # a whole room may be larger, and who comes gets it at once
            self._give_up()
        else:
            self._mark()

    async def put(self, packet: EnginePacket | None) -> None:
        """Send what Engine.IO has to say; None ends its queue and means nothing here."""
        if packet is not None:
            self.write(websocket_frame(packet.encode()))

    async def join(self) -> None:
        """Nothing is ever waiting in here."""

    def close(self) -> None:
        """Say goodbye; the client answers by closing, and is not waited for longer than a moment."""
        if self._closed:
            return
        self.write(CLOSE_FRAME)
        self._closed = True
        self._forget_check()
        self._loop.call_later(CLOSE_PATIENCE_S, self._transport.abort)

    @property
    def closed(self) -> bool:
        """Whether nothing more is said, the goodbye included."""
        return self._closed

    def hang_up(self) -> None:
        """Close the connection under the WebSocket."""
        self._transport.close()

    def release(self) -> None:
        """The connection is gone."""
        self._closed = True
        self._forget_check()

    def _mark(self) -> None:
        """Remember when this position was written, if the last such note is old enough."""
        now = self._loop.time()
        if not self._marks or now - self._marks[-1][1] >= MARK_EVERY_S:
            self._marks.append((self._written, now))
        if self._check is None:
            self._check = self._loop.call_later(MAX_OUTBOX_AGE_S, self._check_age)

    def _check_age(self) -> None:
        self._check = None
        sent = self._written - self._transport.get_write_buffer_size()
        while self._marks and self._marks[0][0] <= sent:
            self._marks.popleft()
        if not self._marks:
            return
        age = self._loop.time() - self._marks[0][1]
        if age >= MAX_OUTBOX_AGE_S:
            self._give_up()
        else:
            self._check = self._loop.call_later(MAX_OUTBOX_AGE_S - age, self._check_age)

    def _give_up(self) -> None:
        self.release()
        self._overflow()
        self._transport.abort()

    def _forget_check(self) -> None:
        if self._check is not None:
            self._check.cancel()
            self._check = None
