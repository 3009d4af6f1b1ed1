# SPDX-License-Identifier: Apache-2.0
"""One client's connection as the gateway sees it, and what the transport asks of the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

import structlog
from msgspec import Raw

from server.errors import DisconnectCode
from server.ids import ConnectionId
from server.logs import fault
from server.observing import Meter
from server.signaling.codec import Packet, disconnect_frame, notice_frame
from server.signaling.messages import Disconnecting, disconnecting
from server.signaling.outbox import Outbox

log = structlog.get_logger()


class Link:
    """A connection from its handshake to its end; before the handshake nothing can be sent.

    While a command is under way, what is sent waits for its answer, until the loop turns: a client's own event and the
    answer to it are one write.
    """

    __slots__ = ("_busy", "_commands", "_ending", "_held", "_idle", "_loop", "_meter", "_outbox", "id", "knock", "over")

    def __init__(self, meter: Meter | None = None) -> None:
        self._meter = meter
        self.id: ConnectionId | None = None
        self.knock: Callable[[], None] = _come_in
        """Asked before somebody new is let in by an invite; may raise JoinRefused."""
        self.over = False
        self._outbox: Outbox | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._busy = False
        self._commands = 0
        self._held: list[bytes] = []
        self._idle: asyncio.Future[None] | None = None
        self._ending: Disconnecting | None = None

    def open(self, outbox: Outbox) -> None:
        """The handshake is done."""
        self._outbox = outbox
        self._loop = asyncio.get_running_loop()

    def send(self, frame: bytes) -> None:
        """Write a frame; after the end of the connection it goes nowhere."""
        if self._busy and self._loop is not None:
            if not self._held:
                self._loop.call_soon(self._flush)
            self._held.append(frame)
        elif self._outbox is not None:
            self._outbox.write(frame)

    def end(self, code: DisconnectCode, retry_after_ms: int | None = None, detail: str = "") -> None:
        """Tell the client why, and disconnect it; a command under way gets its answer first."""
        if self.over:
            return
        self.over = True
        goodbye = disconnecting(code, retry_after_ms, detail)
        if self._busy:
            self._ending = goodbye
        else:
            self._finish(goodbye)

    def refuse(self, frame: bytes, code: DisconnectCode) -> None:
        """Let nobody in: this frame says why, and is the last one."""
        self._said(code)
        self.send(frame)
        self.close()

    def fail(self, error: BaseException) -> None:
        """A fault of ours ends this connection, not the server."""
        log.error("fault", request=self.request, **fault(error))  # never the text
        self.end(DisconnectCode.INTERNAL)

    @property
    def request(self) -> str:
        """The id of what the client asks for right now: its joining, or the command of this number after that."""
        return f"{self.id}.{self._commands}" if self._busy else str(self.id)

    @property
    def busy(self) -> bool:
        """Whether a command is under way."""
        return self._busy

    def begin_command(self) -> None:
        """From here to `finish_command`, the end of the connection waits."""
        self._busy = True
        self._commands += 1

    def finish_command(self, answer: bytes | None = None) -> None:
        """The command is answered, with this frame if its client waits for one."""
        self._busy = False
        if answer is not None and self._held:
            self._held.append(answer)
        elif answer is not None:
            self.send(answer)
        if self._held or self._ending is not None or self._idle is not None:
            self._go_on()

    async def idle(self) -> None:
        """Return when no command is under way; for one waiter."""
        if self._busy and self._loop is not None:
            self._idle = self._loop.create_future()
            await self._idle

    def _go_on(self) -> None:
        """Do what had to wait for the answer."""
        self._flush()
        ending, self._ending = self._ending, None
        if ending is not None:
            self._finish(ending)
        idle, self._idle = self._idle, None
        if idle is not None and not idle.done():
            idle.set_result(None)

    def close(self) -> None:
        """Close after everything that was written; nothing more is said or heard."""
        self.over = True
        self._flush()
        if self._outbox is not None:
            self._outbox.close()

    def lost(self) -> None:
        """The client is gone."""
        self.over = True

    def give_up(self, code: DisconnectCode) -> None:
        """The client cannot be told any more."""
        self._said(code)
        self.over = True

    def _flush(self) -> None:
        if self._held and self._outbox is not None:
            held, self._held = self._held, []
            self._outbox.write(held[0] if len(held) == 1 else b"".join(held))

    def _finish(self, goodbye: Disconnecting) -> None:
        self._said(DisconnectCode(goodbye.code))
        self.send(notice_frame(goodbye))
        self.send(disconnect_frame())
        self.close()

    def _said(self, code: DisconnectCode) -> None:
        reason = code.name.lower()
        log.info("disconnecting", connection=self.id, code=int(code), reason=reason)
        if self._meter is not None:
            self._meter.disconnected(reason)


def _come_in() -> None:
    """Nobody counts."""


class Handlers(Protocol):
    """The gateway. For each link the calls come one after the other, in this order."""

    meter: Meter | None

    async def connect(self, link: Link, auth: Raw) -> None:
        """Verify and seat; raises JoinRefused or BadFrame."""

    def welcome(self, link: Link) -> None:
        """The client knows that it is connected; the first event may be sent."""

    def command(self, link: Link, packet: Packet) -> None:
        """Decide and answer, now or later (the link is busy meanwhile); raises BadFrame."""

    async def disconnect(self, link: Link) -> None:
        """The connection of a seated client is gone."""
