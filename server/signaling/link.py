# SPDX-License-Identifier: Apache-2.0
"""One client's connection as the gateway sees it, and what the transport asks of the gateway."""

from __future__ import annotations

from typing import Protocol

import structlog
from msgspec import Raw

from server.errors import DisconnectCode
from server.ids import ConnectionId
from server.signaling.codec import Packet, disconnect_frame, notice_frame
from server.signaling.messages import Disconnecting, disconnecting
from server.signaling.outbox import Outbox

log = structlog.get_logger()


class Link:
    """A connection from its handshake to its end; before the handshake nothing can be sent."""

    def __init__(self) -> None:
        self.id: ConnectionId | None = None
        self.over = False
        self._outbox: Outbox | None = None
        self._busy = False
        self._ending: Disconnecting | None = None

    def open(self, outbox: Outbox) -> None:
        """The handshake is done."""
        self._outbox = outbox

    def send(self, frame: bytes) -> None:
        """Write a frame; after the end of the connection it goes nowhere."""
        if self._outbox is not None:
            self._outbox.write(frame)

    def end(self, code: DisconnectCode, retry_after_ms: int | None = None) -> None:
        """Tell the client why, and disconnect it; a command under way gets its answer first."""
        if self.over:
            return
        self.over = True
        goodbye = disconnecting(code, retry_after_ms)
        if self._busy:
            self._ending = goodbye
        else:
            self._finish(goodbye)

    def begin_command(self) -> None:
        """From here to `finish_command`, the end of the connection waits."""
        self._busy = True

    def finish_command(self) -> None:
        """The command is answered."""
        self._busy = False
        if self._ending is not None:
            self._finish(self._ending)

    def close(self) -> None:
        """Close after everything that was written; nothing more is said or heard."""
        self.over = True
        if self._outbox is not None:
            self._outbox.close()

    def lost(self) -> None:
        """The client is gone, or has been given up."""
        self.over = True

    def _finish(self, goodbye: Disconnecting) -> None:
        log.info("disconnecting", connection=self.id, code=int(goodbye.code), reason=goodbye.reason)
        self.send(notice_frame(goodbye))
        self.send(disconnect_frame())
        self.close()


class Handlers(Protocol):
    """The gateway. For each link the calls come one after the other, in this order."""

    async def connect(self, link: Link, auth: Raw) -> None:
        """Verify and seat; raises JoinRefused or BadFrame."""

    def welcome(self, link: Link) -> None:
        """The client knows that it is connected; the first event may be sent."""

    async def command(self, link: Link, packet: Packet) -> None:
        """Decide and answer; raises BadFrame."""

    async def disconnect(self, link: Link) -> None:
        """The connection of a seated client is gone."""
