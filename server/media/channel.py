# SPDX-License-Identifier: Apache-2.0
"""The typed channel between a node and one of its media workers.

Messages are MessagePack maps tagged by `type`, each preceded by its length (4 bytes, big endian).
The node sends `ToWorker`, the worker answers and reports with `FromWorker`. Neither side waits for
the other: every message is applied in order, and a `SetRoutes` with an older revision is ignored.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from server.ids import ParticipantId, PeerId, RoomId
from server.ports import (
    PauseReason,
    PeerAnswered,
    PeerClosed,
    PeerConnected,
    PeerRefused,
    Quality,
    QualityChanged,
    Slot,
    SlotsChanged,
    VoiceLevel,
    VoicesHeard,
    Watch,
)
from server.rooms.routes import RouteGroup

__all__ = [
    "MAX_MESSAGE_BYTES",
    "ClosePeer",
    "CloseRoom",
    "FromWorker",
    "LayerStats",
    "OpenPeer",
    "PeerAnswered",
    "PeerClosed",
    "PeerConnected",
    "PeerRefused",
    "PeerStats",
    "QualityChanged",
    "SetRoutes",
    "Shutdown",
    "Slot",
    "SlotStats",
    "SlotsChanged",
    "ToWorker",
    "VoiceLevel",
    "VoicesHeard",
    "Watch",
    "WatchTiles",
    "WorkerReady",
    "WorkerStats",
]

MAX_MESSAGE_BYTES: Final = 1 << 20


class OpenPeer(Struct, frozen=True, tag="open_peer"):
    """Answer this offer, which `sdp.parse_offer` has already accepted. Replaces the participant's earlier peer."""

    peer: PeerId
    room: RoomId
    participant: ParticipantId
    sdp: str


class ClosePeer(Struct, frozen=True, tag="close_peer"):
    """Forget this peer at once; packets from and to it stop."""

    peer: PeerId


class SetRoutes(Struct, frozen=True, tag="set_routes"):
    """All that may flow in this room from now on. Who is in no group neither sends nor receives."""

    room: RoomId
    revision: int
    groups: tuple[RouteGroup, ...]


class WatchTiles(Struct, frozen=True, tag="watch_tiles"):
    """Whom the client of this peer shows from now on."""

    peer: PeerId
    watch: Watch


class CloseRoom(Struct, frozen=True, tag="close_room"):
    """The session is over: close every peer of this room and forget its routes."""

    room: RoomId


class Shutdown(Struct, frozen=True, tag="shutdown"):
    """Leave with exit status 0."""


class WorkerReady(Struct, frozen=True, tag="worker_ready"):
    """Sent once, first: the worker listens on `port` of each of `addresses`; `path` says which code packets take."""

    addresses: tuple[str, ...]
    port: int
    path: str


class WorkerStats(Struct, frozen=True, tag="worker_stats"):
    """Once a second: counters since the start of the worker, and its lateness."""

    packets_received: int
    packets_forwarded: int
    packets_dropped: int
    keyframe_requests: int
    peers: int
    loop_lag_ms: float
    busy: float
    """Share of one core used in the last second, by the whole process."""
    forward_p50_ms: float
    forward_p99_ms: float
    """From the kernel's receipt of a packet to the call that sends it on, in the last second (sampled; UDP)."""
    shed: int
    """What is left out for want of a faster core, as `overload.Shed` counts it."""


class LayerStats(Struct, frozen=True):
    """One RTP stream that a peer sends. `line`: microphone or camera. Counters are since it began."""

    line: str
    rid: str
    bitrate_bps: int
    height: int
    packets: int
    lost: int
    """After repair."""
    jitter_ms: float
    keyframes: int
    subscribers: int
    """To how many peers it is forwarded now."""


class SlotStats(Struct, frozen=True):
    """One slot in which a peer receives. `layer`: index of the picture's layer, None when none flows."""

    index: int
    layer: int | None
    height: int
    wanted_height: int
    paused: PauseReason | None
    audio_packets: int
    video_packets: int
    video_octets: int
    resent: int
    padded_octets: int
    switches: int


class PeerStats(Struct, frozen=True, tag="peer_stats"):
    """Every five seconds for each peer. Rates are in bits per second, 0 where nothing is known."""

    peer: PeerId
    room: RoomId
    rtt_ms: float
    target_bps: int
    """What the way to the client is taken to bear."""
    delivered_bps: int
    queue_ms: float
    up: Quality
    down: Quality
    refused: int
    """Packets above the budgets of the peer and of its sources."""
    layers: tuple[LayerStats, ...]
    slots: tuple[SlotStats, ...]


ToWorker = OpenPeer | ClosePeer | SetRoutes | WatchTiles | CloseRoom | Shutdown
FromWorker = (
    WorkerReady
    | PeerAnswered
    | PeerRefused
    | PeerConnected
    | PeerClosed
    | SlotsChanged
    | VoicesHeard
    | QualityChanged
    | PeerStats
    | WorkerStats
)
