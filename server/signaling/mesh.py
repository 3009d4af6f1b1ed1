# SPDX-License-Identifier: Apache-2.0
"""Mesh rooms: two people's browsers negotiate with each other, and the server only carries their words."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import msgspec
from msgspec.structs import replace

from server.errors import CommandRejected, RejectCode
from server.ids import LOBBY, NodeId, ParticipantId, RoomId, node_of
from server.rooms.state import MediaMode
from server.runner.runner import RoomRunner
from server.signaling.codec import notice_frame
from server.signaling.delivery import Delivery
from server.signaling.messages import PeerSaid, PeerSignal

Carry = Callable[[NodeId, RoomId, ParticipantId, bytes], None]
"""Bring what a sender says in a room to another node, which passes it on if it agrees that this may be."""

encode_signal: Final = msgspec.msgpack.Encoder().encode
decode_signal: Final = msgspec.msgpack.Decoder(PeerSignal).decode


def nowhere(_node: NodeId, _room: RoomId, _sender: ParticipantId, _signal: bytes) -> None:
    """There are no other nodes."""
    raise CommandRejected(RejectCode.NOT_HERE)


def pass_on(
    runner: RoomRunner, delivery: Delivery, sender: ParticipantId, signal: PeerSignal, carry: Carry = nowhere
) -> None:
    """Give one person's word to another who is in the same place. Nothing of it is kept or logged.

    Raises CommandRejected: NOT_NOW in a room whose media goes through the server, NOT_ADMITTED from the lobby, NOT_HERE
    when the other is elsewhere or not connected (they say so when they are back).
    """
    state = runner.state
    mode = state.settings.media_mode
    if mode is MediaMode.SFU:
        raise CommandRejected(RejectCode.NOT_NOW)
    here, there = state.participants.get(sender), state.participants.get(signal.to)
    if here is None or here.placement == LOBBY:
        raise CommandRejected(RejectCode.NOT_ADMITTED)
    if there is None or there.placement != here.placement or signal.to == sender:
        raise CommandRejected(RejectCode.NOT_HERE)
    if mode is MediaMode.MESH_RELAY:
        signal = _through_relays(signal)
    client, seat = delivery.clients.get(signal.to), state.seats.get(signal.to)
    if client is None:
        if seat is None or seat.connection is None:
            raise CommandRejected(RejectCode.NOT_HERE)
        carry(node_of(seat.connection), runner.room, sender, encode_signal(signal))
        return
    said = PeerSaid(sender, signal.connection, signal.other, signal.description, signal.candidate)
    client.link.send(notice_frame(said))


_CANDIDATE: Final = re.compile(r"^a=candidate:[^\r\n]*\r?\n?", re.MULTILINE)
_BEHIND: Final = re.compile(r" raddr \S+ rport \S+")


def _through_relays(signal: PeerSignal) -> PeerSignal:
    """The word without what would tell where the sender is; clients see to that too, but a setting may be missed.

    Raises CommandRejected BAD_OFFER for a candidate that is not of a relay.
    """
    description, candidate = signal.description, signal.candidate
    if description is not None:
        sdp = _CANDIDATE.sub(lambda found: _hidden(found[0]) if _is_relay(found[0]) else "", description.sdp)
        return replace(signal, description=replace(description, sdp=sdp))
    if candidate is None or not candidate.candidate:
        return signal
    if not _is_relay(candidate.candidate):
        raise CommandRejected(RejectCode.BAD_OFFER, detail="candidate of no relay")
    return replace(signal, candidate=replace(candidate, candidate=_hidden(candidate.candidate)))


def _is_relay(candidate: str) -> bool:
    return candidate.split()[6:8] == ["typ", "relay"]


def _hidden(candidate: str) -> str:
    """Without the address that the relay sees (RFC 8839 section 5.1 has these values for that)."""
    return _BEHIND.sub(" raddr 0.0.0.0 rport 9", candidate)
