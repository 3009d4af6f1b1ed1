# SPDX-License-Identifier: Apache-2.0
"""Our own server: a media worker in its own process, told what to do by the messages of a node.

With everything that a browser negotiates: without transport-wide feedback the worker would not trust a link with eleven
pictures at once, and with it the cost of estimating that link is in the figures, as it is in a session.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from bench.machine import pinned
from bench.media.contest import OTHERS, PEOPLE, Person, ServerFailed, fresh_ssrc, local_of
from bench.media.endpoint import Endpoint
from bench.media.sdp import offer, read
from server.ids import MAIN, ParticipantId, PeerId, Placement, RoomId
from server.media.channel import (
    FromWorker,
    OpenPeer,
    PeerAnswered,
    PeerClosed,
    PeerConnected,
    PeerRefused,
    SetRoutes,
    WatchTiles,
    WorkerStats,
)
from server.media.supervisor import MediaWorker, WorkerFailed, WorkerOptions
from server.ports import MediaPath, Watch
from server.rooms.routes import RouteGroup

_PATIENCE_S: Final = 20.0
_TILE: Final = 360
"""Height of a tile in pixels."""


class HoldspaceServer:
    """One worker."""

    def __init__(self, address: str, path: MediaPath) -> None:
        self._address = address
        self._worker = MediaWorker(self._told, self._lost, WorkerOptions(addresses=(address,), path=path))
        self._answers: dict[str, asyncio.Future[str]] = {}
        self._connected: dict[str, asyncio.Future[None]] = {}
        self._lag_ms: float | None = None
        self._problem = ""
        self._closing = False
        self._revision = 0

    @classmethod
    async def start(cls, path: MediaPath, address: str, core: int) -> HoldspaceServer:
        """A worker on this core; it says itself on its standard error why it does not come up."""
        server = cls(address, path)
        with pinned(core):
            try:
                await server._worker.start()
            except WorkerFailed as error:
                raise ServerFailed("the worker did not start") from error
        return server

    @property
    def pid(self) -> int:
        """See `Server`."""
        pid = self._worker.pid
        if pid is None or self._problem:
            raise ServerFailed(self._problem or "the worker died")
        return pid

    async def open_room(self, number: int) -> tuple[Person, ...]:
        """See `Server`."""
        people = await self.join(number, names_of(number, PEOPLE), OTHERS)
        self.seat(number, {MAIN: names_of(number, PEOPLE)})
        return people

    async def join(self, number: int, names: Sequence[ParticipantId], slots: int) -> tuple[Person, ...]:
        """People of one room with so many slots each, some at a time; nobody gets anything yet."""
        found: list[Person] = []
        for at in range(0, len(names), PEOPLE):
            some = names[at : at + PEOPLE]
            found += await asyncio.gather(*(self._join(RoomId(f"room-{number}"), name, slots) for name in some))
        return tuple(found)

    def seat(self, number: int, placements: Mapping[Placement, tuple[ParticipantId, ...]]) -> None:
        """Who of one room is where; everybody may be heard and seen there."""
        groups = tuple(
            RouteGroup(placement=place, members=names, audio=names, video=names) for place, names in placements.items()
        )
        self._revision += 1
        self._worker.send(SetRoutes(room=RoomId(f"room-{number}"), revision=self._revision, groups=groups))

    def watch(self, names: Sequence[ParticipantId], tiles: int) -> None:
        """What the pages of these people say: they show so many others."""
        told = Watch(tiles=(), others=tiles, others_height=_TILE)
        for name in names:
            self._worker.send(WatchTiles(peer=PeerId(name), watch=told))

    def take_loop_lag_ms(self) -> float | None:
        """See `Server`."""
        lag, self._lag_ms = self._lag_ms, None
        return lag

    async def close(self) -> None:
        """See `Server`."""
        self._closing = True
        await self._worker.close()

    async def _join(self, room: RoomId, name: ParticipantId, slots: int) -> Person:
        endpoint = Endpoint(self._address, feedback=True)
        microphone, camera = fresh_ssrc(), fresh_ssrc()
        loop = asyncio.get_running_loop()
        answered = self._answers[name] = loop.create_future()
        connected = self._connected[name] = loop.create_future()
        text = offer(local_of(endpoint), microphone, camera, slots)
        self._worker.send(OpenPeer(peer=PeerId(name), room=room, participant=name, sdp=text))
        async with asyncio.timeout(_PATIENCE_S):
            described = read(await answered)
            await endpoint.connect(described.remote, described.fingerprint)
            await connected
        return Person(endpoint, endpoint, microphone, camera, described.ssrcs)

    def _told(self, message: FromWorker) -> None:
        match message:
            case PeerAnswered(peer=peer, sdp=sdp):
                self._answers[peer].set_result(sdp)
            case PeerConnected(peer=peer):
                self._connected[peer].set_result(None)
            case PeerRefused(peer=peer, reason=reason):
                self._answers[peer].set_exception(ServerFailed(f"an offer was refused: {reason}"))
            case WorkerStats(loop_lag_ms=lag):
                self._lag_ms = max(self._lag_ms or 0.0, lag)
            case PeerClosed(reason=reason) if not self._closing:
                self._problem = f"the worker closed a connection: {reason}"
            case _:
                pass

    def _lost(self) -> None:
        self._problem = "the worker died"


def names_of(number: int, people: int) -> tuple[ParticipantId, ...]:
    """The people of a room."""
    return tuple(ParticipantId(f"{number}-{index}") for index in range(people))
