# SPDX-License-Identifier: Apache-2.0
"""Mesh rooms: two people's browsers negotiate with each other, and the server only carries their words."""

from __future__ import annotations

from server.errors import CommandRejected, RejectCode
from server.ids import LOBBY, ParticipantId
from server.rooms.state import MediaMode, RoomState
from server.signaling.codec import notice_frame
from server.signaling.delivery import Delivery
from server.signaling.messages import PeerSaid, PeerSignal


def pass_on(state: RoomState, delivery: Delivery, sender: ParticipantId, signal: PeerSignal) -> None:
    """Give one person's word to another who is in the same place. Nothing of it is kept or logged.

    Raises CommandRejected: NOT_NOW in a room whose media goes through the server, NOT_ADMITTED from the lobby, NOT_HERE
    when the other is elsewhere or not connected (they say so when they are back).
    """
    if state.settings.media_mode is MediaMode.SFU:
        raise CommandRejected(RejectCode.NOT_NOW)
    here, there = state.participants.get(sender), state.participants.get(signal.to)
    if here is None or here.placement == LOBBY:
        raise CommandRejected(RejectCode.NOT_ADMITTED)
    client = delivery.clients.get(signal.to)
    if there is None or there.placement != here.placement or signal.to == sender or client is None:
        raise CommandRejected(RejectCode.NOT_HERE)
    said = PeerSaid(sender, signal.connection, signal.other, signal.description, signal.candidate)
    client.link.send(notice_frame(said))
