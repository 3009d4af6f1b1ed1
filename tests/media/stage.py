# SPDX-License-Identifier: Apache-2.0
"""A media service in this process, on loopback, and the participants in it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

from server.ids import MAIN, ParticipantId, PeerId, Placement, RoomId
from server.media.channel import (
    FromWorker,
    OpenPeer,
    PeerAnswered,
    PeerConnected,
    SetRoutes,
)
from server.media.reachable import Announced
from server.media.service import MediaService
from server.rooms.routes import RouteGroup
from tests.media.paths import Chosen
from tests.media.peer import RawPeer
from tests.media.waiting import until

ROOM = RoomId("room")
M = TypeVar("M")


class Stage:
    """A media service on loopback and the participants in it."""

    def __init__(
        self,
        address: str = "127.0.0.1",
        port: int = 0,
        announced: tuple[Announced, ...] = (),
        tcp_port: int | None = None,
    ) -> None:
        self.said: list[FromWorker] = []
        self.service = MediaService(self.said.append, (address,), port, announced, tcp_port, packets=Chosen.make())
        self.peers: list[RawPeer] = []
        self.revision = 0
        self.service.start()

    def open(self, peer: RawPeer) -> PeerAnswered:
        """Offer and answer."""
        self.service.apply(
            OpenPeer(peer=PeerId(f"p-{peer.name}"), room=ROOM, participant=ParticipantId(peer.name), sdp=peer.offer)
        )
        return next(m for m in reversed(self.said) if isinstance(m, PeerAnswered))

    async def join(self, *names: str, slots: int = 2, with_ssrcs: bool = True) -> list[RawPeer]:
        """Participants, connected."""
        joined = [RawPeer(name, slots, with_ssrcs=with_ssrcs) for name in names]
        for peer in joined:
            self.peers.append(peer)
            await peer.connect(self.open(peer).sdp)
            await until(lambda name=peer.name: self.last(PeerConnected, name))  # type: ignore[misc]
        return joined

    def route(self, *groups: RouteGroup) -> None:
        """The next routes."""
        self.revision += 1
        self.service.apply(SetRoutes(room=ROOM, revision=self.revision, groups=groups))

    def last(self, kind: type[M], name: str) -> M | None:
        """The last message of a kind about this participant's peer."""
        found = [m for m in self.said if isinstance(m, kind) and getattr(m, "peer", "") == f"p-{name}"]
        return found[-1] if found else None

    async def settled(self) -> None:
        """Everything sent before this has been handled: one more datagram went in and out."""
        # Loopback UDP and the loop keep order, so an answered check is behind everything sent before it.
        for peer in self.peers:
            peer.arrived.clear()
            peer.check()
            await asyncio.wait_for(peer.arrived.wait(), 5)
        await asyncio.sleep(0.02)


def group(*members: str, audio: str | None = None, video: str | None = None, placement: Placement = MAIN) -> RouteGroup:
    """One placement; by default everyone is heard and seen. Names are words in one string."""
    return RouteGroup(
        placement=placement,
        members=tuple(map(ParticipantId, members)),
        audio=tuple(map(ParticipantId, members if audio is None else audio.split())),
        video=tuple(map(ParticipantId, members if video is None else video.split())),
    )


@asynccontextmanager
async def staged(
    address: str = "127.0.0.1", port: int = 0, announced: tuple[Announced, ...] = (), tcp_port: int | None = None
) -> AsyncIterator[Stage]:
    """Up, and down without anything left behind."""
    made = Stage(address, port, announced, tcp_port)
    try:
        yield made
    finally:
        for peer in made.peers:
            await peer.close()
        await made.service.close()
