# SPDX-License-Identifier: Apache-2.0
"""The typed channel between a node and one of its media workers.

Messages are MessagePack maps tagged by `type`, each preceded by its length (4 bytes, big endian).
The node sends `ToWorker`, the worker answers and reports with `FromWorker`. Neither side waits for
the other: every message is applied in order, and a `SetRoutes` with an older revision is ignored.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from server.ids import ParticipantId, PeerId, Placement, RoomId
from server.rooms.routes import RouteGroup

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


class CloseRoom(Struct, frozen=True, tag="close_room"):
    """The session is over: close every peer of this room and forget its routes."""

    room: RoomId


class Shutdown(Struct, frozen=True, tag="shutdown"):
    """Leave with exit status 0."""


class WorkerReady(Struct, frozen=True, tag="worker_ready"):
    """Sent once, first: the worker listens on `port` of each of `addresses`."""

    addresses: tuple[str, ...]
    port: int


class PeerAnswered(Struct, frozen=True, tag="peer_answered"):
    """The SDP answer; complete, no candidate follows (ICE-lite)."""

    peer: PeerId
    sdp: str
    slots: int


class PeerRefused(Struct, frozen=True, tag="peer_refused"):
    """The offer cannot be answered; `reason` is a stable word, never a part of the SDP."""

    peer: PeerId
    reason: str


class PeerConnected(Struct, frozen=True, tag="peer_connected"):
    """ICE and DTLS are up: media can flow."""

    peer: PeerId


class PeerClosed(Struct, frozen=True, tag="peer_closed"):
    """The peer is gone; `reason` is one of closed, consent_expired, dtls_closed, replaced."""

    peer: PeerId
    reason: str


class Slot(Struct, frozen=True):
    """What one pre-negotiated pair of receive lines carries; `source` None: nothing."""

    index: int
    source: ParticipantId | None
    audio: bool
    video: bool


class SlotsChanged(Struct, frozen=True, tag="slots_changed"):
    """Sent for each subscriber whose slots changed, before the first packet of the new source.

    `revision` is that of the `SetRoutes` it follows from. Only non-empty slots are listed.
    """

    peer: PeerId
    revision: int
    slots: tuple[Slot, ...]


class VoiceLevel(Struct, frozen=True):
    """Loudest level of a participant since the last report: 0 (loud) to 127 (silence), RFC 6464."""

    participant: ParticipantId
    level: int


class VoicesHeard(Struct, frozen=True, tag="voices_heard"):
    """At most five times a second per room, only people whose audio is forwarded and not silent."""

    room: RoomId
    placement: Placement
    levels: tuple[VoiceLevel, ...]


class WorkerStats(Struct, frozen=True, tag="worker_stats"):
    """Once a second: counters since the start of the worker, and its lateness."""

    packets_received: int
    packets_forwarded: int
    packets_dropped: int
    keyframe_requests: int
    peers: int
    loop_lag_ms: float


ToWorker = OpenPeer | ClosePeer | SetRoutes | CloseRoom | Shutdown
FromWorker = (
    WorkerReady | PeerAnswered | PeerRefused | PeerConnected | PeerClosed | SlotsChanged | VoicesHeard | WorkerStats
)
