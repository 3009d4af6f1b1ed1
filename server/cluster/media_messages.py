# SPDX-License-Identifier: Apache-2.0
"""What nodes say to each other about media: requests to the node that carries a room, reports from it.

A request names the generation of the placement it believes in; one that is out of date is answered with `NotHere`.
"""

from __future__ import annotations

from collections.abc import Hashable

import msgspec
from msgspec import Struct

from server.ids import ParticipantId, PeerId, RoomId
from server.ports import MediaReport, QualityChanged, SlotsChanged, Watch


class OpenGuest(Struct, frozen=True, tag="open"):
    """Answer this offer; reports about the peer go to the sender."""

    room: RoomId
    generation: int
    peer: PeerId
    participant: ParticipantId
    sdp: str


class CloseGuest(Struct, frozen=True, tag="close"):
    """Stop everything from and to this peer."""

    room: RoomId
    generation: int
    peer: PeerId


class WatchAs(Struct, frozen=True, tag="watch"):
    """Whom the client of this peer shows from now on."""

    room: RoomId
    generation: int
    peer: PeerId
    watch: Watch


class Adopt(Struct, frozen=True, tag="adopt"):
    """This participant is connected through the sender now: reports about their peer go there."""

    room: RoomId
    generation: int
    participant: ParticipantId


class Dismiss(Struct, frozen=True, tag="dismiss"):
    """This participant's client begins anew: close the peer they have, if any."""

    room: RoomId
    generation: int
    participant: ParticipantId


class NotHere(Struct, frozen=True, tag="not_here"):
    """The sender does not carry this room (any more) under this generation; look for it again."""

    room: RoomId
    generation: int
    reason: str


class Reported(Struct, frozen=True, tag="reported"):
    """What the worker says of a peer that was opened through the receiver, or of the room."""

    room: RoomId
    generation: int
    report: MediaReport


class Passed(Struct, frozen=True, tag="passed"):
    """What one person's client says to another's that is connected through the receiver, as signaling encodes it."""

    room: RoomId
    sender: ParticipantId
    signal: bytes


Request = OpenGuest | CloseGuest | WatchAs | Adopt | Dismiss
MediaMessage = Request | NotHere | Reported | Passed


def matter_of(message: MediaMessage) -> Hashable:
    """What a message is about, if a newer one of the same makes it useless; None otherwise."""
    match message:
        case WatchAs(peer=peer):
            return "watch", peer
        case Reported(report=SlotsChanged(peer=peer)):
            return "slots", peer
        case Reported(report=QualityChanged(peer=peer)):
            return "quality", peer
        case _:
            return None


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(MediaMessage).decode
