# SPDX-License-Identifier: Apache-2.0
"""How entries, states and hints are written in Redis: msgpack of the core's own structs, decoded strictly.

The format is named beside each value. A node that meets one it does not know says so instead of guessing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.msgpack import Decoder, Encoder

from server.ports import Entry, Epoch, Seq
from server.rooms.recent import settled
from server.rooms.state import RoomState

FORMAT: Final = 1
FIELD: Final = b"1"
"""The format as the name of a stream entry's only field."""
_FIXARRAY: Final = 0x90
_ARRAY16: Final = 0xDC
_FIXARRAY_MAX: Final = 15


class UnknownFormat(Exception):
    """Written by a newer node, or not by us."""


class _Snapshot(Struct, frozen=True, array_like=True):
    format: int
    state: RoomState


class _Hint(Struct, frozen=True, array_like=True):
    format: int
    origin: bytes
    epoch: int
    first: int
    entries: tuple[Entry, ...]


class Hinted(Struct, frozen=True):
    """A hint as it came."""

    epoch: Epoch
    first: Seq
    entries: tuple[Entry, ...]


_MALFORMED: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""Text that is not UTF-8, and nesting beyond the recursion limit, raise something else than a MsgspecError."""
_ENCODER: Final = Encoder()
_ENTRY: Final = Decoder(Entry)
_SNAPSHOT: Final = Decoder(_Snapshot)
_HINT: Final = Decoder(_Hint)


def pack_entry(entry: Entry) -> bytes:
    """One entry."""
    return _ENCODER.encode(entry)


def unpack_entry(field: bytes, packed: bytes) -> Entry:
    """The entry of a stream's field. Raises UnknownFormat."""
    if field != FIELD:
        raise UnknownFormat
    try:
        return _ENTRY.decode(packed)
    except _MALFORMED:
        raise UnknownFormat from None


def pack_state(state: RoomState) -> bytes:
    """A snapshot."""
    return _ENCODER.encode(_Snapshot(FORMAT, settled(state)))


def unpack_state(packed: bytes) -> RoomState:
    """The state of a snapshot. Raises UnknownFormat."""
    try:
        snapshot = _SNAPSHOT.decode(packed)
    except _MALFORMED:
        raise UnknownFormat from None
    if snapshot.format != FORMAT:
        raise UnknownFormat
    return snapshot.state


def hint_origin(origin: bytes) -> bytes:
    """How every hint of this origin begins."""
    head = _ENCODER.encode([FORMAT, origin])
    return bytes((_FIXARRAY | len(_Hint.__struct_fields__),)) + head[1:]


def hint_head(origin: bytes, epoch: Epoch, first: Seq, count: int) -> bytes:
    """A hint up to its entries: followed by `count` packed entries, it is complete."""
    array = bytes((_FIXARRAY | count,)) if count <= _FIXARRAY_MAX else bytes((_ARRAY16,)) + count.to_bytes(2)
    return hint_origin(origin) + _ENCODER.encode(epoch) + _ENCODER.encode(first) + array


def pack_hint(origin: bytes, epoch: Epoch, first: Seq, packed: Sequence[bytes] = ()) -> bytes:
    """A whole hint."""
    return hint_head(origin, epoch, first, len(packed)) + b"".join(packed)


def unpack_hint(payload: bytes) -> Hinted:
    """A hint. Raises UnknownFormat."""
    try:
        hint = _HINT.decode(payload)
    except _MALFORMED:
        raise UnknownFormat from None
    if hint.format != FORMAT:
        raise UnknownFormat
    return Hinted(Epoch(hint.epoch), Seq(hint.first), hint.entries)
