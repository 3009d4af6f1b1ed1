# SPDX-License-Identifier: Apache-2.0
"""A virtual participant that can be cut off, and tells at once when it is somewhere else or alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from aiohttp import ClientSession, ClientTimeout, TCPConnector

from holdspace_client.protocol.ids import Placement
from holdspace_client.protocol.signaling.messages import Resume, RoomMessage, Welcome
from loadtest.participant import Participant
from loadtest.peer import Peer

Moved = Callable[[Placement | None, Placement | None], None]
_CONNECT_S: Final = 10.0


class LoadPerson(Participant):
    """Each connection has an HTTP session of its own, so that it can be cut at once, whatever the other side does."""

    def __init__(self, url: str, token: str, *, name: str, agreement: int) -> None:
        super().__init__(fresh_http(), url, token, name=name, agreement=agreement)
        self.on_moved: Moved = lambda before, after: None  # noqa: ARG005
        self.on_silence: Callable[[], None] = lambda: None
        """Called when the peer connection is gone."""

    async def cut(self) -> None:
        """The network under the connection is gone; neither side has said a word."""
        await self._http.close()

    async def close(self) -> None:
        """End connection and media, without leaving."""
        await super().close()
        await self._http.close()

    def drop_media(self) -> None:
        """End the peer connection."""
        self._media_lost()

    async def _open(self, resume: Resume | None) -> Welcome:
        await self._http.close()
        self._http = fresh_http()
        return await super()._open(resume)

    def _receive(self, message: RoomMessage) -> None:
        before = self.placement
        super()._receive(message)
        after = self.placement
        if after != before:
            self.on_moved(before, after)

    def _media_lost(self, gone: Peer | None = None) -> None:
        had = self.peer is not None
        super()._media_lost(gone)
        if had and self.peer is None:
            self.on_silence()


def fresh_http() -> ClientSession:
    """Connections of one person, and of nobody else."""
    return ClientSession(connector=TCPConnector(limit=0), timeout=ClientTimeout(total=None, connect=_CONNECT_S))
