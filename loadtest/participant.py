# SPDX-License-Identifier: Apache-2.0
"""A virtual participant: a session of the client package, with the load test's own peer."""

from __future__ import annotations

import asyncio

import msgspec
from aiohttp import ClientSession

from holdspace_client import Session
from holdspace_client.protocol.rooms import commands as c
from holdspace_client.protocol.signaling.messages import ClientCommand, Ok
from loadtest.peer import Peer
from loadtest.sender import Voice


class Participant(Session):
    """One person in one room, over the public port only. One object is one person; it keeps nothing elsewhere."""

    def __init__(self, http: ClientSession, url: str, token: str, *, name: str = "", agreement: int = 0) -> None:
        super().__init__(http, url, token, name=name, agreement=agreement)
        self._patience: asyncio.Timeout | None = None
        """While a peer is being connected."""
        self.peer: Peer | None = None
        self.on_view = self._obey
        self.on_media_lost = self._media_gone

    async def publish(self, peer: Peer) -> None:
        """Connect this peer in place of an earlier one. Raises TimeoutError, also once the server has given it up."""
        self._media_lost()
        try:
            async with asyncio.timeout(None) as self._patience:
                await peer.connect(await self.offer(peer.offer()))
        except BaseException:
            await peer.close()
            raise
        finally:
            self._patience = None
        peer.on_lost = lambda: self._media_lost(peer)
        self.peer, self.publishing = peer, True

    async def watch(self, others: int, height: int) -> Ok:
        """Say for how many others there is room, and how high their pictures are shown (0: as small as there is)."""
        wish = {"type": "watch", "tiles": (), "others": others, "others_height": height}
        return await self.do(msgspec.convert(wish, ClientCommand))

    async def set_microphone(self, *, on: bool, voice: Voice = Voice.SPEECH) -> None:
        """Press the microphone. What is sent never goes beyond what the room has on record."""
        await self.do(c.SetMicrophone(on=on))
        await self.until(lambda _: self.me is not None and self.me.microphone == on)
        if self.peer is not None:
            self.peer.speak(voice if on else None)

    async def set_camera(self, *, on: bool) -> None:
        """Press the camera."""
        await self.do(c.SetCamera(on=on))
        await self.until(lambda _: self.me is not None and self.me.camera == on)
        if self.peer is not None:
            self.peer.show(on=on)

    async def close(self) -> None:
        """End connection and media, without leaving."""
        self._media_lost()
        await super().close()

    def _obey(self) -> None:
        """A moderator's mute or camera off holds for what is sent, too; nothing is ever turned on here."""
        me = self.me
        if self.peer is not None and me is not None:
            if not me.microphone:
                self.peer.speak(None)
            if not me.camera:
                self.peer.show(on=False)

    def _media_gone(self) -> None:
        """The server has no peer for the last offer any more."""
        if self._patience is not None:
            self._patience.reschedule(0.0)
        self._media_lost()

    def _media_lost(self, gone: Peer | None = None) -> None:
        """The peer (this one, if it still is the present one) is gone; whoever drives this person publishes anew."""
        peer = self.peer
        if peer is not None and gone in (None, peer):
            self.peer, self.publishing = None, False
            self._background(peer.close())
