# SPDX-License-Identifier: Apache-2.0
"""Metrics that are looked up when somebody asks: how things stand on this node, and the counters of its workers."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from msgspec import Struct
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from server.ids import PeerId
from server.media.channel import PeerStats, WorkerStats
from server.observe.metrics import NAMESPACE
from server.ports import PauseReason, Quality
from server.rooms.phases import SessionStatus
from server.rooms.state import RoomState

_KBIT: Final = 1000


class Look(Struct, frozen=True):
    """How a node stands. `rooms`: those loaded here; a room that people of several nodes are in is loaded by each.

    `log_away` and `nodes` are None where the log is in this process.
    """

    rooms: tuple[RoomState, ...]
    connections: int
    draining: bool
    workers: tuple[WorkerStats | None, ...]
    peers: tuple[PeerStats, ...]
    log_away: bool | None = None
    nodes: int | None = None
    hint_gaps: int = 0
    deaf: int = 0
    refused: int = 0
    tasks: int = 0


class Looks(Collector):
    """Asks the node at each scrape."""

    def __init__(self, look: Callable[[], Look]) -> None:
        self._look = look
        self._switches = Sums(lambda peer: sum(slot.switches for slot in peer.slots))
        self._arrived = Sums(lambda peer: sum(layer.packets for layer in peer.layers))
        self._lost = Sums(lambda peer: sum(layer.lost for layer in peer.layers))

    def describe(self) -> Iterable[Metric]:
        """Nothing is asked when it is registered: the node has not started yet."""
        return ()

    def collect(self) -> Iterator[Metric]:
        look = self._look()
        yield from _rooms(look)
        yield from _node(look)
        yield from _workers(look.workers)
        yield from _peers(look.peers)
        text = "Changes of what a slot shows: another person, or another layer of the same one."
        yield _counter("media_slot_switches", text, self._switches.total(look.peers))
        text = "Packets that people have sent and that arrived, repaired ones included."
        yield _counter("media_source_packets", text, self._arrived.total(look.peers))
        text = "Packets that people have sent and that never arrived, also not when asked for again."
        yield _counter("media_source_packets_lost", text, self._lost.total(look.peers))


class Sums:
    """Sums up what each peer has counted since the last look, also of peers that are gone by now."""

    def __init__(self, count: Callable[[PeerStats], int]) -> None:
        self._count = count
        self._known: dict[PeerId, int] = {}
        self._total = 0

    def total(self, peers: Iterable[PeerStats]) -> int:
        """As of now; what a peer counts after it was looked at last, and before it goes, is missing."""
        now = {peer.peer: self._count(peer) for peer in peers}
        self._total += sum(max(0, count - self._known.get(peer, 0)) for peer, count in now.items())
        self._known = now
        return self._total


def _rooms(look: Look) -> Iterator[Metric]:
    status = Tally(room.status for room in look.rooms)
    yield _gauges("rooms", "Rooms loaded by this node.", "status", {each: status[each] for each in SessionStatus})
    seats = [seat for room in look.rooms for seat in room.seats.values()]
    away = sum(seat.connection is None for seat in seats)
    text = "Seats in the rooms loaded by this node; `grace`: kept for who lost the connection."
    yield _gauges("seats", text, "state", {"connected": len(seats) - away, "grace": away})
    breakouts = sum(len(room.breakouts.rooms) for room in look.rooms)
    yield _gauge("breakouts", "Breakout rooms of the rooms loaded by this node.", breakouts)


def _node(look: Look) -> Iterator[Metric]:
    yield _gauge("connections", "People who have a seat through this node.", look.connections)
    yield _gauge("tasks", "asyncio tasks of this node; with the same people it should not grow.", look.tasks)
    yield _gauge("draining", "1 while this node sends its people to others.", look.draining)
    if look.log_away is not None:
        yield _gauge("log_away", "1 while Redis takes no writes: rooms are read-only.", look.log_away)
        yield _counter("hint_gaps", "Hints that did not come and were made up for.", look.hint_gaps)
        yield _counter("deaf", "Pub/sub connections that delivered nothing and were replaced.", look.deaf)
    if look.nodes is not None:
        yield _gauge("nodes", "Nodes that are alive, as this one sees it.", look.nodes)
        text = "Messages of other nodes thrown away: forged, of an unknown version, or not understood."
        yield _counter("node_messages_refused", text, look.refused)


COUNTED: Final = {
    "packets_received": "Media packets received.",
    "packets_forwarded": "Media packets sent on, one for each subscriber.",
    "packets_dropped": "Media packets thrown away: over a budget, without right, or not readable.",
    "keyframe_requests": "Pictures asked anew of publishers.",
}
MEASURED: Final = {
    "peers": ("peers", "Peer connections.", 1),
    "busy": ("busy_ratio", "Share of one core used in the last second.", 1),
    "loop_lag_ms": ("loop_lag_seconds", "Greatest lateness of the loop in the last second.", 1000),
    "forward_p50_ms": ("forward_p50_seconds", "Median time from receipt to sending on, in the last second.", 1000),
    "forward_p99_ms": ("forward_p99_seconds", "The same of the slowest one in a hundred.", 1000),
    "shed": ("shed_level", "What is left out for want of a faster core: 0 nothing to 4 all pictures.", 1),
}


def _workers(workers: tuple[WorkerStats | None, ...]) -> Iterator[Metric]:
    up = GaugeMetricFamily(f"{NAMESPACE}_media_up", "1 if the media worker listens.", labels=["worker"])
    for number, stats in enumerate(workers):
        up.add_metric([str(number)], stats is not None)
    yield up
    there = [(str(number), stats) for number, stats in enumerate(workers) if stats is not None]
    for field, text in COUNTED.items():
        counted = CounterMetricFamily(f"{NAMESPACE}_media_{field}", text, labels=["worker"])
        for worker, stats in there:
            counted.add_metric([worker], getattr(stats, field))
        yield counted
    for field, (name, text, scale) in MEASURED.items():
        measured = GaugeMetricFamily(f"{NAMESPACE}_media_{name}", text, labels=["worker"])
        for worker, stats in there:
            measured.add_metric([worker], getattr(stats, field) / scale)
        yield measured


def _peers(peers: tuple[PeerStats, ...]) -> Iterator[Metric]:
    quality = GaugeMetricFamily(
        f"{NAMESPACE}_media_quality", "Peers by how their connection does.", labels=["direction", "quality"]
    )
    for direction in ("up", "down"):
        ways = Tally(getattr(peer, direction) for peer in peers)
        for each in Quality:
            quality.add_metric([direction, each.value], ways[each])
    yield quality
    slots = [slot for peer in peers for slot in peer.slots]
    paused = Tally(slot.paused for slot in slots)
    yield _gauges(
        "media_paused", "Pictures that do not flow, by reason.", "reason", {r: paused[r] for r in PauseReason}
    )
    shown = sum(slot.layer is not None for slot in slots)
    yield _gauge("media_flowing", "Pictures that flow to somebody.", shown)
    received = sum(layer.bitrate_bps for peer in peers for layer in peer.layers)
    yield _gauge("media_received_bits_per_second", "Bit rate of what people send.", received)
    yield _gauge(
        "media_delivered_bits_per_second", "Bit rate that arrives at people.", sum(p.delivered_bps for p in peers)
    )
    trips = sorted(peer.rtt_ms for peer in peers if peer.rtt_ms)
    if trips:
        yield _gauge("media_rtt_p50_seconds", "Median round trip to people.", trips[len(trips) // 2] / _KBIT)
        yield _gauge("media_rtt_max_seconds", "Longest round trip to people.", trips[-1] / _KBIT)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"{NAMESPACE}_{name}", text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"{NAMESPACE}_{name}", text, value=value)


def _gauges(name: str, text: str, label: str, values: dict[str, int]) -> Metric:
    family = GaugeMetricFamily(f"{NAMESPACE}_{name}", text, labels=[label])
    for value, count in values.items():
        family.add_metric([str(value)], count)
    return family
