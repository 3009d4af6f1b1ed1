# SPDX-License-Identifier: Apache-2.0
"""The embedded media plane: rooms and peers of this node on one worker process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import assert_never

import structlog

from server.errors import CommandRejected, RejectCode
from server.ids import ParticipantId, PeerId, RoomId
from server.media.channel import (
    ClosePeer,
    CloseRoom,
    FromWorker,
    OpenPeer,
    PeerAnswered,
    PeerClosed,
    PeerConnected,
    PeerRefused,
    SetRoutes,
    SlotsChanged,
    VoicesHeard,
    WorkerReady,
    WorkerStats,
)
from server.media.sdp import OfferRefused, parse_offer
from server.media.sdp_answer import plan_lines
from server.media.supervisor import MediaWorker, WorkerOptions
from server.ports import MediaReport
from server.rooms.routes import RouteGroup

log = structlog.get_logger()

Sink = Callable[[MediaReport], None]


class _Carried:
    """A room on the worker. The routes are kept, because a worker that starts again knows nothing."""

    __slots__ = ("groups", "revision", "sink")

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.groups: tuple[RouteGroup, ...] = ()
        self.revision = 0


class WorkerPlane:
    """`MediaPlane` over one `MediaWorker`."""

    def __init__(self, options: WorkerOptions) -> None:
        self._worker = MediaWorker(self._heard, self._lost, options)
        self._rooms: dict[RoomId, _Carried] = {}
        self._peers: dict[PeerId, RoomId] = {}
        self._ready = asyncio.Event()
        self.stats: WorkerStats | None = None

    @property
    def ready(self) -> bool:
        """Whether a worker listens."""
        return self._ready.is_set()

    async def until_ready(self) -> None:
        """Wait until a worker listens (again)."""
        await self._ready.wait()

    async def start(self) -> WorkerReady:
        """Start the worker; raises WorkerFailed."""
        return await self._worker.start()

    async def close(self) -> None:
        """Stop the worker and all media."""
        await self._worker.close()

    def open_room(self, room: RoomId, sink: Sink) -> None:
        self._rooms[room] = _Carried(sink)

    def open_peer(self, peer: PeerId, room: RoomId, participant: ParticipantId, sdp: str) -> None:
        if not self.ready or room not in self._rooms:
            raise CommandRejected(RejectCode.NO_MEDIA)
        self._peers[peer] = room
        self._worker.send(OpenPeer(peer, room, participant, sdp))

    def close_peer(self, peer: PeerId) -> None:
        if self._peers.pop(peer, None) is not None:
            self._worker.send(ClosePeer(peer))

    def set_routes(self, room: RoomId, groups: tuple[RouteGroup, ...]) -> None:
        carried = self._rooms.get(room)
        if carried is not None:
            carried.groups = groups
            carried.revision += 1
            self._worker.send(SetRoutes(room, carried.revision, groups))

    def close_room(self, room: RoomId) -> None:
        if self._rooms.pop(room, None) is not None:
            self._peers = {peer: where for peer, where in self._peers.items() if where != room}
            self._worker.send(CloseRoom(room))

    def check_offer(self, sdp: str) -> None:
        try:
            plan = plan_lines(parse_offer(sdp))
        except OfferRefused as refusal:
            log.info("bad_offer", problem=refusal.problem.value)
            raise CommandRejected(RejectCode.BAD_OFFER, detail=refusal.problem.value) from refusal
        if not plan.send and not plan.slots:
            log.info("bad_offer", problem="no_common_codec")
            raise CommandRejected(RejectCode.BAD_OFFER, detail="no_common_codec")

    # -- called by the worker ------------------------------------------------------------------------------------------

    def _heard(self, message: FromWorker) -> None:
        match message:
            case WorkerReady():
                self._ready.set()
                for room, carried in self._rooms.items():
                    self._worker.send(SetRoutes(room, carried.revision, carried.groups))
            case WorkerStats():
                self.stats = message
            case VoicesHeard():
                self._tell(message.room, message)
            case PeerClosed() | PeerRefused():
                self._tell(self._peers.pop(message.peer, None), message)
            case PeerAnswered() | PeerConnected() | SlotsChanged():
                self._tell(self._peers.get(message.peer), message)
            case _:
                assert_never(message)

    def _lost(self) -> None:
        self._ready.clear()
        peers, self._peers = self._peers, {}
        for peer, room in peers.items():
            self._tell(room, PeerClosed(peer, "worker_lost"))

    def _tell(self, room: RoomId | None, report: MediaReport) -> None:
        carried = None if room is None else self._rooms.get(room)
        if carried is not None:
            carried.sink(report)
