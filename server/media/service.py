# SPDX-License-Identifier: Apache-2.0
"""A media worker without its process: applies the messages of the node, keeps the timers, reports back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from itertools import islice
from typing import Final, assert_never

from server.ids import RoomId
from server.media.channel import (
    ClosePeer,
    CloseRoom,
    FromWorker,
    OpenPeer,
    SetRoutes,
    Shutdown,
    SlotsChanged,
    ToWorker,
    WatchTiles,
    WorkerReady,
    WorkerStats,
)
from server.media.coalescing import Coalescing
from server.media.connections import Connections
from server.media.downlink import Downlink
from server.media.forwarder import Forwarder
from server.media.ice import Path
from server.media.overload import Overload, Shed
from server.media.packet_path import Outlet, PacketPath, PurePath
from server.media.peer import CloseReason, Peer
from server.media.reachable import Announced, candidates
from server.media.router import RoomRoutes
from server.media.streams import Layer
from server.media.tcp import TcpMux
from server.media.udp import UdpMux
from server.media.upkeep import TICKS_PER_SECOND, Upkeep

_PACE_S: Final = 1 / TICKS_PER_SECOND
_STEP_PEERS: Final = 8
_MOST_STEPS: Final = 12
"""A tick is taken in steps, each for some of the peers, so that no packet waits for the upkeep of all of them."""

_PROBE_S: Final = 0.01
_VOICES_EVERY: Final = 4
"""Ticks: voices 5 times a second."""


class MediaService:
    """All rooms of one worker on one UDP port. `emit` takes what the node must know, in order.

    `tcp_port`: where clients may connect whom UDP does not reach (None: nowhere). `announced` stands in answers in
    place of the addresses.
    """

    def __init__(
        self,
        emit: Callable[[FromWorker], None],
        addresses: tuple[str, ...],
        port: int,
        announced: tuple[Announced, ...] = (),
        tcp_port: int | None = None,
        packets: PacketPath | None = None,
    ) -> None:
        self._emit = emit
        packets = packets or PurePath()
        self._path = packets.name
        self.forwarder = Forwarder(self._send, packets.fan)
        packets.serve(self.forwarder)
        self.mux = UdpMux(addresses, port, self._datagram, packets)
        ice = self.forwarder.ice
        self.tcp = None if tcp_port is None else TcpMux(addresses, tcp_port, self._datagram, ice.lost, _now_ms)
        self._addresses = tuple(dict.fromkeys(each.address for each in announced)) or addresses
        reached = candidates(addresses, announced, self.mux.port, self.tcp.port if self.tcp is not None else None)
        outlet = Outlet(self._send, self.mux.outbox, packets)
        self.connections = Connections(emit, self._room, ice, outlet, reached, self._left)
        self._rooms: dict[RoomId, RoomRoutes] = {}
        self._loop = asyncio.get_running_loop()
        self._ticks = 0
        self._step = 0
        self._steps = 1
        self._lag_ms = 0.0
        self._overload = Overload()
        self._coalescing = Coalescing()
        self._received = 0
        self._upkeep: dict[Peer, Upkeep] = {}
        self._process_s = time.process_time()
        self._counted_ns = time.monotonic_ns()
        self._timer: asyncio.TimerHandle | None = None
        self._probe_timer: asyncio.TimerHandle | None = None
        self._probing: set[Downlink] = set()
        """Whose link is being measured; that begins with a tick."""

    def start(self) -> None:
        """Announce the port and begin the timers."""
        self._emit(WorkerReady(addresses=self._addresses, port=self.mux.port, path=self._path))
        self._schedule()

    async def close(self) -> None:
        """Close every peer and give the port back."""
        if self._timer is not None:
            self._timer.cancel()
        if self._probe_timer is not None:
            self._probe_timer.cancel()
        self.connections.close_all()
        self.mux.close()
        if self.tcp is not None:
            self.tcp.close()

    def apply(self, message: ToWorker) -> None:
        """One message of the node; never waits. `Shutdown` is for the process and changes nothing here."""
        match message:
            case OpenPeer():
                self.connections.open(message)
            case ClosePeer(peer=peer):
                self.connections.close(peer, CloseReason.CLOSED)
            case SetRoutes(room=room):
                self._room(room).set_routes(message)
            case WatchTiles():
                self._watch(message)
            case CloseRoom(room=room):
                self._close_room(room)
            case Shutdown():
                pass
            case _:
                assert_never(message)

    def _datagram(self, data: bytes, path: Path) -> None:
        self.forwarder.datagram(data, path)

    def _send(self, data: bytes, path: Path) -> None:
        if path[0] >= 0:
            self.mux.send(data, path)
        elif self.tcp is not None:
            self.tcp.send(data, path)

    def _left(self, peer: Peer) -> None:
        self.forwarder.dropped += peer.dropped
        self._upkeep.pop(peer, None)

    def _room(self, room: RoomId) -> RoomRoutes:
        routes = self._rooms.get(room)
        if routes is None:
            routes = self._rooms[room] = RoomRoutes(room, self._tell_slots, self._want_keyframe)
        return routes

    def _tell_slots(self, message: SlotsChanged) -> None:
        self._emit(message)

    def _want_keyframe(self, layer: Layer) -> None:
        self.forwarder.request_keyframe(layer, _now_ms())

    def _watch(self, message: WatchTiles) -> None:
        peer = self.connections.peers.get(message.peer)
        if peer is not None:
            self._room(peer.room).watch(peer.participant, message.watch)

    def _close_room(self, room: RoomId) -> None:
        routes = self._rooms.get(room)
        if routes is None:
            return
        routes.clear()
        for peer in list(routes.peers.values()):
            self.connections.close(peer.id, CloseReason.CLOSED)
        del self._rooms[room]

    def _schedule(self) -> None:
        due = self._loop.time() + _PACE_S / self._steps
        self._timer = self._loop.call_at(due, self._tick, due)

    def _tick(self, due: float) -> None:
        self._lag_ms = max(self._lag_ms, (self._loop.time() - due) * 1000)
        now_ns = time.monotonic_ns()
        for peer in islice(self.connections.peers.values(), self._step, None, self._steps):
            try:
                self._look_after(peer, now_ns)
            except Exception as error:  # noqa: BLE001 - the timer would not be set again, for nobody
                self._loop.call_exception_handler({"message": "fault in the upkeep of a peer", "exception": error})
        self._step += 1
        if self._step == self._steps:
            self._tick_all(now_ns)
        self._probe()
        self._schedule()

    def _look_after(self, peer: Peer, now_ns: int) -> None:
        upkeep = self._upkeep.get(peer)
        if upkeep is None:
            upkeep = self._upkeep[peer] = Upkeep(peer, self.forwarder, self._emit)
        upkeep.tick(self._ticks, now_ns)
        if peer.downlink is not None and peer.downlink.probing:
            self._probing.add(peer.downlink)

    def _tick_all(self, now_ns: int) -> None:
        """What is done once in a tick."""
        self._ticks += 1
        self._step = 0
        self._steps = min(_MOST_STEPS, 1 + len(self.connections.peers) // _STEP_PEERS)
        if self._ticks % _VOICES_EVERY == 0:
            for room in self._rooms.values():
                for heard in room.tick(now_ns):
                    self._emit(heard)
        if self._ticks % TICKS_PER_SECOND == 0:
            self._every_second(now_ns)

    def _probe(self) -> None:
        """Space the padding of probes more finely than the tick, while there are any."""
        if self._probing and self._probe_timer is None:
            self._probe_timer = self._loop.call_later(_PROBE_S, self._probe_on)

    def _probe_on(self) -> None:
        self._probe_timer = None
        now_ns = time.monotonic_ns()
        for downlink in self._probing:
            downlink.probe(now_ns)
        self._probing = {downlink for downlink in self._probing if downlink.probing}
        self._probe()

    def _every_second(self, now_ns: int) -> None:
        for room in self._rooms.values():
            seen = {member: len(group.video) for group in room.groups for member in group.members}
            for participant, peer in room.peers.items():
                if peer in self._upkeep:
                    self._upkeep[peer].pictures = seen.get(participant, 0)
        ice = self.forwarder.ice
        if self.tcp is not None:
            self.tcp.sweep(lambda path: ice.owner_of(path) is not None)
        for peer in ice.expire(now_ns // 1_000_000):
            self.connections.close(peer.id, CloseReason.CONSENT_EXPIRED)
        busy = self._busy(now_ns)
        p50_ms, p99_ms = self.mux.latency.take_ms()
        self._overload.update(busy, self._lag_ms)
        came, self._received = self.forwarder.received - self._received, self.forwarder.received
        self.mux.gap_ns = self._coalescing.update(busy, came)
        self._shed(self._overload.shed)
        self._emit(
            WorkerStats(
                packets_received=self.forwarder.received,
                packets_forwarded=self.forwarder.forwarded,
                packets_dropped=self.forwarder.dropped
                + self.mux.dropped
                + (self.tcp.dropped if self.tcp is not None else 0)
                + sum(peer.dropped for peer in self.connections.peers.values()),
                keyframe_requests=self.forwarder.keyframe_requests,
                peers=len(self.connections.peers),
                loop_lag_ms=round(self._lag_ms, 3),
                busy=round(busy, 3),
                forward_p50_ms=round(p50_ms, 3),
                forward_p99_ms=round(p99_ms, 3),
                shed=self._overload.shed,
            )
        )
        self._lag_ms = 0.0

    def _shed(self, shed: Shed) -> None:
        """Every peer looks at its choices once a second anyway, and then heeds this."""
        for peer in self.connections.peers.values():
            if peer.downlink is not None:
                peer.downlink.shed = shed

    def _busy(self, now_ns: int) -> float:
        """Share of one core used since the last call."""
        process_s = time.process_time()
        busy = (process_s - self._process_s) * 1e9 / max(1, now_ns - self._counted_ns)
        self._process_s, self._counted_ns = process_s, now_ns
        return busy


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000
