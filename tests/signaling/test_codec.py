# SPDX-License-Identifier: Apache-2.0
"""Packets as bytes: what is read, what is refused, and at what cost."""

from __future__ import annotations

import struct
import tracemalloc

import msgpack
import msgspec
import pytest

from server.errors import CommandRejected, RejectCode
from server.ports import Epoch, Seq
from server.rooms.commands import RaiseHand
from server.signaling.codec import (
    BadFrame,
    PacketType,
    acknowledgement_frame,
    disconnect_frame,
    event_frame,
    read_command,
    read_packet,
    websocket_frame,
)
from server.signaling.messages import MAX_COMMAND_BYTES, Events, MediaOffer, Ok

HEAD = b"\x84\xa4type\x02\xa3nsp\xa1/\xa2id\x01\xa4data"


def _payload(frame: bytes) -> dict[str, object]:
    """What is inside a WebSocket frame, read by the stock library."""
    short = frame[1] & 0x7F
    start = {126: 4, 127: 10}.get(short, 2)
    assert frame[0] == 0x82
    length = short if short < 126 else int.from_bytes(frame[2:start], "big")
    assert len(frame) == start + length
    packet: dict[str, object] = msgpack.unpackb(frame[start:])
    return packet


def test_a_stock_packet_is_read() -> None:
    """What socket.io-msgpack-parser sends, its `options` included."""
    packet = {
        "type": 2,
        "data": ["command", {"id": "7", "command": {"type": "raise_hand"}}],
        "options": {"compress": True},
        "id": 3,
        "nsp": "/",
    }
    read = read_packet(msgpack.packb(packet))
    assert (read.type, read.id) == (PacketType.EVENT, 3)
    frame = read_command(read.data)
    assert (frame.id, frame.command) == ("7", RaiseHand())


def test_outgoing_packets_are_stock_packets() -> None:
    """Maps with `type`, `nsp`, `data` and `id`; what does not apply is left out, as the browser's parser demands."""
    assert _payload(acknowledgement_frame(4, Ok(Seq(9)))) == {
        "type": 3,
        "nsp": "/",
        "data": [{"type": "ok", "seq": 9, "safe": True}],
        "id": 4,
    }
    assert _payload(disconnect_frame()) == {"type": 1, "nsp": "/"}
    message = Events(Epoch(1_795_000_000_000), Seq(3), Seq(5), 7, ())
    assert _payload(event_frame(message))["data"] == [
        "event",
        {"type": "events", "epoch": 1_795_000_000_000, "from": 3, "to": 5, "now_ms": 7, "events": []},
    ]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 200_000])
def test_frames_carry_their_length(size: int) -> None:
    """RFC 6455 section 5.2: 7, 16 or 64 bits."""
    frame = websocket_frame(bytes(size))
    assert frame[0] == 0x82
    assert frame.endswith(bytes(size))
    assert len(frame) - size == (2 if size < 126 else 4 if size < 65_536 else 10)


def test_a_large_offer_is_read() -> None:
    """An offer may be as large as 128 KiB."""
    command = {"type": "media_offer", "offer": 1, "sdp": "x" * 100_000}
    packet = read_packet(msgpack.packb({"type": 2, "nsp": "/", "data": ["command", {"id": "1", "command": command}]}))
    assert isinstance(read_command(packet.data).command, MediaOffer)


BOMBS = {
    "wide empties": b"\x92\xa7command\x82\xa2id\xa11\xa7command\xdd" + struct.pack(">I", 16_000) + b"\x80" * 16_000,
    "wide people": b"\x92\xa7command\x82\xa2id\xa11\xa7command\x82\xa4type\xa4mute\xacparticipants\xdd"
    + struct.pack(">I", 15_000)
    + b"\xa0" * 15_000,
    "deep": b"\x92\xa7command" + b"\x91" * 16_000 + b"\xc0",
    "length claim": b"\x92\xa7command\xdd\xff\xff\xff\xff",
    "large people": b"\x92\xa7command\x82\xa2id\xa11\xa7command\x82\xa4type\xa4mute\xacparticipants\xdd"
    + struct.pack(">I", 120_000)
    + b"\xa0" * 120_000,
    "large empties": b"\x92\xa7command\xdd" + struct.pack(">I", 120_000) + b"\x80" * 120_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_stay_small(name: str) -> None:
    """Refused with at most eight times their own size in memory, and never a RecursionError."""
    data = HEAD + BOMBS[name]
    tracemalloc.start()
    try:
        with pytest.raises((CommandRejected, BadFrame)):
            read_command(read_packet(data).data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * max(len(data), MAX_COMMAND_BYTES)


def test_the_reason_of_a_refusal_is_the_size_or_the_content() -> None:
    """TOO_LARGE and BAD_MESSAGE are told apart."""
    for text, code in (("x" * 20_000, RejectCode.TOO_LARGE), ("x" * 3_000, RejectCode.BAD_MESSAGE)):
        data = msgspec.msgpack.encode(("command", {"id": "1", "command": {"type": "send_chat", "text": text}}))
        with pytest.raises(CommandRejected) as rejection:
            read_command(msgspec.Raw(data))
        assert rejection.value.code is code
