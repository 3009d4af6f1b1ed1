# SPDX-License-Identifier: Apache-2.0
"""The embedded media plane: the rooms of this node on one or more worker processes.

A room with all its breakouts is on one worker. It is placed when its first peer comes, stays there, and is placed
anew when that worker dies or is drained: its clients are told that their peer is gone, and open another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final, assert_never

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
    PeerStats,
    QualityChanged,
    SetRoutes,
    Shutdown,
    SlotsChanged,
    ToWorker,
    VoicesHeard,
    Watch,
    WatchTiles,
    WorkerReady,
    WorkerStats,
)
from server.media.placement import WorkerLoad, choose_worker, expected_busy
from server.media.sdp import OfferRefused, parse_offer
from server.media.sdp_answer import plan_lines
from server.media.supervisor import MediaWorker, WorkerOptions, numbered
from server.ports import MediaReport, PeerMissing
from server.rooms.routes import RouteGroup

MOVE_EVERY_S: Final = 0.25
"""Between two rooms that leave a drained worker: their people connect anew at the same moment."""

_HARDLY: Final = 0.001

log = structlog.get_logger()

Sink = Callable[[MediaReport], None]


class _Carrier:
    """A worker as the plane knows it."""

    __slots__ = ("draining", "ready", "stats", "worker")

    def __init__(
        self, heard: Callable[[_Carrier, FromWorker], None], lost: Callable[[_Carrier], None], options: WorkerOptions
    ) -> None:
        self.worker = MediaWorker(partial(heard, self), partial(lost, self), options)
        self.ready = asyncio.Event()
        self.draining = False
        self.stats: WorkerStats | None = None


class _Carried:
    """A room. The routes are kept, because a worker that takes it over knows nothing."""

    __slots__ = ("carrier", "expected", "groups", "revision", "sink")

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.groups: tuple[RouteGroup, ...] = ()
        self.expected = 0.0
        self.revision = 0
        self.carrier: _Carrier | None = None


class WorkerPlane:
    """`MediaPlane` over `workers` processes; each has a UDP port of its own, counted up from the first."""

    def __init__(self, options: WorkerOptions, workers: int = 1) -> None:
        self._carriers = tuple(
            _Carrier(self._heard, self._lost, numbered(options, number)) for number in range(workers)
        )
        self._rooms: dict[RoomId, _Carried] = {}
        self._peers: dict[PeerId, RoomId] = {}
        self._peer_stats: dict[PeerId, PeerStats] = {}

    @property
    def ready(self) -> bool:
        """Whether any worker listens."""
        return any(carrier.ready.is_set() for carrier in self._carriers)

    @property
    def full(self) -> bool:
        """Whether no worker should be given another room."""
        return not any(load.takes_rooms for load in self._loads())

    @property
    def free(self) -> float:
        """Free share of a core of the least loaded worker, hardly any if all are full; 0: none can take a room."""
        able = [load.load for load in self._loads() if load.ready and not load.draining]
        return max(_HARDLY, 1 - min(able)) if able else 0.0

    @property
    def stats(self) -> tuple[WorkerStats | None, ...]:
        """What each worker said last; None for one that is not up."""
        return tuple(carrier.stats for carrier in self._carriers)

    @property
    def peer_stats(self) -> tuple[PeerStats, ...]:
        """What was last told of each peer that is there."""
        return tuple(stats for peer, stats in self._peer_stats.items() if peer in self._peers)

    @property
    def pids(self) -> tuple[int | None, ...]:
        """The process of each worker, while there is one."""
        return tuple(carrier.worker.pid for carrier in self._carriers)

    async def until_ready(self) -> None:
        """Wait until every worker listens (again)."""
        await asyncio.gather(*(carrier.ready.wait() for carrier in self._carriers))

    async def start(self) -> tuple[WorkerReady, ...]:
        """Start the workers; raises WorkerFailed when one does not come up."""
        started = await asyncio.gather(*(carrier.worker.start() for carrier in self._carriers), return_exceptions=True)
        failed = [each for each in started if isinstance(each, BaseException)]
        if failed:
            await self.close()
            raise failed[0]
        return tuple(each for each in started if not isinstance(each, BaseException))

    async def close(self) -> None:
        """Stop the workers and all media."""
        await asyncio.gather(*(carrier.worker.close() for carrier in self._carriers))

    async def drain(self, number: int) -> bool:
        """Move the rooms of one worker to the others, then start it afresh; False if there is no other to take them.

        Returns when its last room has left. The people in them open new peers, as after the loss of a worker. If the
        process dies meanwhile, the one that takes its place is fresh already, and may carry rooms: it stays.
        """
        leaving = self._carriers[number]
        process = leaving.worker.pid
        leaving.draining = True
        if choose_worker(self._loads()) is None:
            leaving.draining = False
            return False
        for room in [room for room, carried in self._rooms.items() if carried.carrier is leaving]:
            self._dislodge(room, leaving)
            await asyncio.sleep(MOVE_EVERY_S)
            if leaving.worker.pid != process:
                return True
        leaving.worker.send(Shutdown())
        return True

    def open_room(self, room: RoomId, sink: Sink) -> None:
        self._rooms[room] = _Carried(sink)

    def open_peer(self, peer: PeerId, room: RoomId, participant: ParticipantId, sdp: str) -> None:
        carried = self._rooms.get(room)
        carrier = self._placed(room, carried) if carried is not None else None
        if carrier is None:
            raise CommandRejected(RejectCode.NO_MEDIA)
        self._peers[peer] = room
        carrier.worker.send(OpenPeer(peer, room, participant, sdp))

    def close_peer(self, peer: PeerId) -> None:
        room = self._peers.pop(peer, None)
        if room is not None:
            self._send(self._rooms[room], ClosePeer(peer))

    def adopt(self, room: RoomId, participant: ParticipantId) -> None:
        # Whoever asks was told of all peers that there are.
        self._tell(room, PeerMissing(participant))

    def dismiss(self, room: RoomId, participant: ParticipantId) -> None:
        """Nothing to do: whoever asks knows all peers that there are."""

    def watch(self, peer: PeerId, watch: Watch) -> None:
        room = self._peers.get(peer)
        if room is not None:
            self._send(self._rooms[room], WatchTiles(peer, watch))

    def set_routes(self, room: RoomId, groups: tuple[RouteGroup, ...]) -> None:
        carried = self._rooms.get(room)
        if carried is not None:
            carried.groups = groups
            carried.expected = expected_busy(groups)
            carried.revision += 1
            self._send(carried, SetRoutes(room, carried.revision, groups))

    def close_room(self, room: RoomId) -> None:
        carried = self._rooms.pop(room, None)
        if carried is not None:
            self._peers = {peer: where for peer, where in self._peers.items() if where != room}
            self._send(carried, CloseRoom(room))

    def check_offer(self, sdp: str) -> None:
        try:
            plan = plan_lines(parse_offer(sdp))
        except OfferRefused as refusal:
            log.info("bad_offer", problem=refusal.problem.value)
            raise CommandRejected(RejectCode.BAD_OFFER, detail=refusal.problem.value) from refusal
        if not plan.send and not plan.slots:
            log.info("bad_offer", problem="no_common_codec")
            raise CommandRejected(RejectCode.BAD_OFFER, detail="no_common_codec")

    # -- where rooms are -----------------------------------------------------------------------------------------------

    def _loads(self) -> list[WorkerLoad]:
        expected = dict.fromkeys(self._carriers, 0.0)
        for carried in self._rooms.values():
            if carried.carrier is not None:
                expected[carried.carrier] += carried.expected
        return [
            WorkerLoad(
                ready=carrier.ready.is_set(),
                draining=carrier.draining,
                measured=carrier.stats.busy if carrier.stats is not None else 0.0,
                expected=expected[carrier],
            )
            for carrier in self._carriers
        ]

    def _placed(self, room: RoomId, carried: _Carried) -> _Carrier | None:
        """The worker of a room, chosen now if it has none."""
        if carried.carrier is None:
            chosen = choose_worker(self._loads())
            if chosen is None:
                return None
            carried.carrier = self._carriers[chosen]
            self._send(carried, SetRoutes(room, carried.revision, carried.groups))
        return carried.carrier

    def _dislodge(self, room: RoomId, leaving: _Carrier) -> None:
        """Take one room off a worker that goes on working."""
        carried = self._rooms.get(room)
        if carried is not None and carried.carrier is leaving:
            leaving.worker.send(CloseRoom(room))
            self._unplace(room, carried, "moved")

    def _unplace(self, room: RoomId, carried: _Carried, reason: str) -> None:
        carried.carrier = None
        gone = [peer for peer, where in self._peers.items() if where == room]
        for peer in gone:
            del self._peers[peer]
        for peer in gone:
            carried.sink(PeerClosed(peer, reason))

    def _send(self, carried: _Carried, message: ToWorker) -> None:
        if carried.carrier is not None:
            carried.carrier.worker.send(message)

    # -- called by the workers -----------------------------------------------------------------------------------------

    def _heard(self, carrier: _Carrier, message: FromWorker) -> None:
        match message:
            case WorkerReady():
                carrier.draining = False
                carrier.ready.set()
            case WorkerStats():
                carrier.stats = message
                self._peer_stats = {peer: stats for peer, stats in self._peer_stats.items() if peer in self._peers}
            case VoicesHeard():
                self._tell(message.room, message)
            case PeerClosed() | PeerRefused():
                self._tell(self._peers.pop(message.peer, None), message)
            case PeerStats():
                self._peer_stats[message.peer] = message
            case PeerAnswered() | PeerConnected() | SlotsChanged() | QualityChanged():
                self._tell(self._peers.get(message.peer), message)
            case _:
                assert_never(message)

    def _lost(self, carrier: _Carrier) -> None:
        carrier.ready.clear()
        carrier.stats = None
        for room, carried in list(self._rooms.items()):
            if carried.carrier is carrier:
                self._unplace(room, carried, "worker_lost")

    def _tell(self, room: RoomId | None, report: MediaReport) -> None:
        carried = None if room is None else self._rooms.get(room)
        if carried is not None:
            carried.sink(report)
