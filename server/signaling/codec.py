# SPDX-License-Identifier: Apache-2.0
"""Socket.IO packets in MessagePack, and the WebSocket frames that carry them.

The envelope is what `socket.io-msgpack-parser` reads and writes: a map with `type`, `nsp`, `data` and `id`. Incoming,
`data` stays undecoded until its length is known to be allowed; then it is decoded straight into the typed structs, so
that nothing is ever built from a message that is not one of ours. Outgoing, a message becomes one whole WebSocket
frame, which is made once and written to every receiver.
"""

from __future__ import annotations

from contextlib import suppress
from enum import IntEnum
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Raw, Struct
from msgspec.msgpack import Decoder, Encoder

from server.errors import CommandRejected, DisconnectCode, RejectCode
from server.ids import CommandId
from server.signaling.messages import (
    MAX_COMMAND_BYTES,
    MAX_OFFER_BYTES,
    Acknowledgement,
    CommandFrame,
    Connect,
    MediaOffer,
    Notice,
    RoomMessage,
    refusal_of,
)

ENVELOPE_BYTES: Final = 512
"""What the envelope adds to a command."""
MAX_FRAME_BYTES: Final = MAX_OFFER_BYTES + ENVELOPE_BYTES
MAX_CONNECT_BYTES: Final = 8 * 1024
MAX_DETAIL: Final = 200
NAMESPACE: Final = "/"
JSON_CONNECT: Final = "40"
"""How a CONNECT begins that is not in MessagePack (Socket.IO protocol 5 in Engine.IO 4)."""


_LENGTH_16: Final = 126
_LENGTH_64: Final = 127
"""Stand for a length of two or eight bytes that follows."""


_SHORT: Final = {opcode: tuple(bytes((opcode, size)) for size in range(_LENGTH_16)) for opcode in (0x81, 0x82)}
"""How short frames begin, by their opcode and size."""


class PacketType(IntEnum):
    """Socket.IO protocol version 5; the binary kinds do not exist in MessagePack."""

    CONNECT = 0
    DISCONNECT = 1
    EVENT = 2
    ACK = 3
    CONNECT_ERROR = 4


class BadFrame(Exception):
    """What came is no packet of ours; the connection cannot go on. The text is for whoever sent it, and for no log."""

    @property
    def detail(self) -> str:
        """For the author of the client."""
        return str(self)[:MAX_DETAIL]


class Packet(Struct, frozen=True):
    """An incoming packet. Other keys, such as the client's `options`, are ignored."""

    type: PacketType
    nsp: Literal["/"]
    data: Raw = Raw()
    id: Annotated[int, Meta(ge=0, le=(1 << 53) - 1)] | None = None


class _Outgoing(Struct, frozen=True, omit_defaults=True):
    type: int
    nsp: str
    data: object = None
    id: int | None = None


class _Entry(Struct, frozen=True):
    """A CONNECT to any namespace."""

    type: Literal[0]
    nsp: str


class _OfferFrame(Struct, frozen=True, forbid_unknown_fields=True):
    id: Annotated[CommandId, Meta(min_length=1, max_length=64)]
    command: MediaOffer


_MALFORMED: Final = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)
"""msgspec's ValidationError is a DecodeError; nesting beyond the recursion limit is none of them."""

_NO_NAMESPACE: Final = {
    "message": "Invalid namespace",
    "data": refusal_of(DisconnectCode.BAD_MESSAGE, "the only namespace is /"),
}
_NO_JSON: Final = {
    "message": "JSON packets are not spoken here, use socket.io-msgpack-parser or serializer='msgpack'",
    "data": refusal_of(DisconnectCode.BAD_MESSAGE, "packets are MessagePack, in binary frames"),
}
_encode: Final = Encoder().encode
_packet: Final = Decoder(Packet).decode
_entry: Final = Decoder(_Entry).decode
_connect: Final = Decoder(Connect).decode
_command: Final = Decoder(tuple[Literal["command"], CommandFrame]).decode
_offer: Final = Decoder(tuple[Literal["command"], _OfferFrame]).decode
_names: Final = (Decoder(tuple[str, Raw]).decode, Decoder(tuple[str]).decode)


def read_packet(data: bytes) -> Packet:
    """The envelope; raises BadFrame."""
    try:
        return _packet(data)
    except _MALFORMED as error:
        raise BadFrame(f"not a Socket.IO packet in MessagePack: {error}") from error


def read_connect(data: Raw) -> Connect:
    """The auth payload; raises BadFrame."""
    if len(data) > MAX_CONNECT_BYTES:
        raise BadFrame(f"auth: more than {MAX_CONNECT_BYTES} bytes")
    try:
        return _connect(data)
    except _MALFORMED as error:
        raise BadFrame(f"auth: {error}") from error


def read_command(data: Raw) -> CommandFrame:
    """The one event of a client.

    Raises BadFrame if it is another event, CommandRejected (BAD_MESSAGE, TOO_LARGE) if it is a command, but not one of
    ours. Above the size of a command only an offer is looked for.
    """
    try:
        if len(data) > MAX_FRAME_BYTES:
            raise CommandRejected(RejectCode.TOO_LARGE, detail=f"more than {MAX_FRAME_BYTES} bytes")
        if len(data) > MAX_COMMAND_BYTES:
            frame = _offer(data)[1]
            return CommandFrame(frame.id, frame.command)
        return _command(data)[1]
    except _MALFORMED as error:
        if not is_command(data):
            raise BadFrame("an event that is not `command` with one argument") from error
        if len(data) > MAX_COMMAND_BYTES:
            detail = f"more than {MAX_COMMAND_BYTES} bytes, and no media_offer: {error}"
            raise CommandRejected(RejectCode.TOO_LARGE, detail=detail[:MAX_DETAIL]) from error
        raise CommandRejected(RejectCode.BAD_MESSAGE, detail=str(error)[:MAX_DETAIL]) from error


def is_command(data: Raw) -> bool:
    """Whether this is an event by the name of `command`, with one argument of any kind or none."""
    for read_name in _names:
        with suppress(*_MALFORMED):
            return read_name(data)[0] == "command"
    return False


def foreign_namespace(data: bytes) -> str | None:
    """The namespace that this packet asks for, if it is a CONNECT to another one than ours."""
    with suppress(*_MALFORMED):
        name = _entry(data).nsp
        return None if name == NAMESPACE else name
    return None


def no_namespace_frame(name: str) -> bytes:
    """The answer to a CONNECT to a namespace that does not exist."""
    return websocket_frame(_encode(_Outgoing(PacketType.CONNECT_ERROR, name, _NO_NAMESPACE)))


def json_refusal_frame(text: str) -> bytes:
    """The answer to a client that connects in JSON (`40...`), in the words that it understands."""
    name = text[2:].partition(",")[0] + "," if text.startswith(JSON_CONNECT + "/") else ""
    return websocket_frame(f"44{name}{msgspec.json.encode(_NO_JSON).decode()}")


def event_frame(message: RoomMessage) -> bytes:
    """The WebSocket frame of a sequenced message."""
    return websocket_frame(_encode(_Outgoing(PacketType.EVENT, "/", ("event", message))))


def notice_frame(notice: Notice) -> bytes:
    """The WebSocket frame of an unsequenced message."""
    return websocket_frame(_encode(_Outgoing(PacketType.EVENT, "/", ("notice", notice))))


def acknowledgement_frame(packet_id: int, answer: Acknowledgement) -> bytes:
    """The WebSocket frame of the answer to a command."""
    return websocket_frame(_encode(_Outgoing(PacketType.ACK, "/", (answer,), packet_id)))


def disconnect_frame() -> bytes:
    """The WebSocket frame that ends the Socket.IO connection."""
    return websocket_frame(_encode(_Outgoing(PacketType.DISCONNECT, "/")))


def packet_bytes(packet_type: int, data: object) -> bytes:
    """A packet that python-socketio makes itself (the answers to CONNECT)."""
    return _encode(_Outgoing(packet_type, "/", data))


def websocket_frame(payload: bytes | str) -> bytes:
    """One unmasked, unfragmented frame (RFC 6455 section 5.2): binary for bytes, text for a string."""
    if isinstance(payload, str):
        opcode, body = 0x81, payload.encode()
    else:
        opcode, body = 0x82, payload
    size = len(body)
    if size < _LENGTH_16:
        return _SHORT[opcode][size] + body
    if size < 1 << 16:
        return bytes((opcode, _LENGTH_16)) + size.to_bytes(2, "big") + body
    return bytes((opcode, _LENGTH_64)) + size.to_bytes(8, "big") + body
