# SPDX-License-Identifier: Apache-2.0
"""Hear and see a room with aiortc: python listen.py 'https://groups.example.org/#TOKEN' (pip install aiortc)."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine

from aiohttp import ClientSession
from aiortc import MediaStreamTrack, RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

from holdspace_client import LOBBY, Session, open_link

SLOTS = 4
"""How many others are received at once."""


async def main(link: str) -> None:
    """Tell of the first sound and the first picture in each slot, until the session is over."""
    async with ClientSession() as http:
        invitation = await open_link(http, link)
        session = invitation.session(http, name="Listener", agreement=invitation.room.agreement.version)
        await session.join()
        keeping = asyncio.create_task(session.keep())
        await session.until(lambda _: session.placement not in {None, LOBBY}, None)
        listener = Listener(session)
        # The server may lose the peer, with a worker or with this program's network: then connect anew.
        session.on_media_lost = listener.reconnect
        listener.reconnect()
        print("over:", await keeping)
        await listener.close()


class Listener:
    """One peer connection at a time. Who is in which slot is told by `session.slots`, move or no move."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._peer: RTCPeerConnection | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def reconnect(self) -> None:
        """Make a new peer connection in place of the present one."""
        self._begin(self._connect())

    async def close(self) -> None:
        """End it."""
        for task in tuple(self._tasks):
            task.cancel()
        if self._peer is not None:
            await self._peer.close()

    async def _connect(self) -> None:
        if self._peer is not None:
            await self._peer.close()
        self._peer = peer = RTCPeerConnection(RTCConfiguration(bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        for _ in range(SLOTS):
            peer.addTransceiver("audio", direction="recvonly")
            peer.addTransceiver("video", direction="recvonly")
        await peer.setLocalDescription(await peer.createOffer())
        answer = await self._session.offer(peer.localDescription.sdp)
        await peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        for number, line in enumerate(peer.getTransceivers()):
            self._begin(self._follow(number // 2, line.receiver.track))

    async def _follow(self, slot: int, track: MediaStreamTrack) -> None:
        heard = None
        try:
            while True:
                await track.recv()
                source = next((each.source for each in self._session.slots.slots if each.index == slot), None)
                if source is not None and source != heard:
                    heard = source
                    print(track.kind, "of", source, flush=True)
        except MediaStreamError:
            pass  # the peer connection was closed

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
