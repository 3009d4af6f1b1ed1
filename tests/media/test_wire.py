# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio

import pytest

from server.ids import MAIN, ParticipantId, PeerId, RoomId
from server.media.channel import (
    MAX_MESSAGE_BYTES,
    ClosePeer,
    CloseRoom,
    FromWorker,
    OpenPeer,
    PeerAnswered,
    PeerClosed,
    PeerConnected,
    PeerRefused,
    SetRoutes,
    Shutdown,
    Slot,
    SlotsChanged,
    ToWorker,
    VoiceLevel,
    VoicesHeard,
    Watch,
    WatchTiles,
    WorkerReady,
    WorkerStats,
)
from server.media.wire import ChannelBroken, encode, from_worker, to_worker
from server.ports import PauseReason, Tile
from server.rooms.routes import RouteGroup

PEER, ROOM, ANA = PeerId("p"), RoomId("r"), ParticipantId("ana")
SAID_TO: list[ToWorker] = [
    OpenPeer(peer=PEER, room=ROOM, participant=ANA, sdp="v=0"),
    ClosePeer(peer=PEER),
    SetRoutes(room=ROOM, revision=3, groups=(RouteGroup(placement=MAIN, members=(ANA,), audio=(ANA,), video=()),)),
    WatchTiles(peer=PEER, watch=Watch((Tile(ANA, 360, pinned=True),), others=3, others_height=180)),
    CloseRoom(room=ROOM),
    Shutdown(),
]
SAID_BY: list[FromWorker] = [
    WorkerReady(addresses=("192.0.2.1", "::1"), port=5000, path="compiled"),
    PeerAnswered(peer=PEER, sdp="v=0", slots=12),
    PeerRefused(peer=PEER, reason="malformed"),
    PeerConnected(peer=PEER),
    PeerClosed(peer=PEER, reason="closed"),
    SlotsChanged(peer=PEER, revision=3, slots=(Slot(0, ANA, audio=True, video=True, paused=PauseReason.HIDDEN),)),
    VoicesHeard(room=ROOM, placement=MAIN, levels=(VoiceLevel(participant=ANA, level=30),)),
    WorkerStats(
        packets_received=1,
        packets_forwarded=2,
        packets_dropped=3,
        keyframe_requests=4,
        peers=5,
        loop_lag_ms=0.5,
        busy=0.5,
        forward_p50_ms=0.4,
        forward_p99_ms=2.5,
        shed=1,
    ),
]


def stream(data: bytes) -> asyncio.StreamReader:
    """A reader at whose end these bytes are all."""
    made = asyncio.StreamReader()
    made.feed_data(data)
    made.feed_eof()
    return made


async def test_every_message_arrives_as_it_was_sent() -> None:
    """Both directions, all types, in order, then the end."""
    there = to_worker(stream(b"".join(map(encode, SAID_TO))))
    assert [await there.read() for _ in SAID_TO] == SAID_TO
    assert await there.read() is None
    back = from_worker(stream(b"".join(map(encode, SAID_BY))))
    assert [await back.read() for _ in SAID_BY] == SAID_BY
    assert await back.read() is None


@pytest.mark.parametrize(
    "data",
    [(MAX_MESSAGE_BYTES + 1).to_bytes(4), b"\x00\x00\x00\x01\xc1", b"\x00\x00\x00\x01\x80", encode(SAID_BY[0])],
    ids=["too long", "no MessagePack", "no type", "other direction"],
)
async def test_what_is_no_message_breaks_the_channel(data: bytes) -> None:
    """Too long, no MessagePack, no type, a message of the other direction."""
    with pytest.raises(ChannelBroken):
        await to_worker(stream(data)).read()


async def test_a_message_cut_short_is_the_end() -> None:
    """The other process died while it wrote."""
    assert await to_worker(stream(encode(SAID_TO[0])[:-1])).read() is None


def test_an_oversized_message_is_not_written() -> None:
    """The writer keeps to the bound that the reader checks."""
    with pytest.raises(ChannelBroken):
        encode(OpenPeer(peer=PEER, room=ROOM, participant=ANA, sdp="x" * MAX_MESSAGE_BYTES))
