# SPDX-License-Identifier: Apache-2.0
"""What the scripts of the log answer, as the port's outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from server.cluster.codec import FIELD, unpack_entry, unpack_state
from server.ids import RoomId
from server.ports import (
    Appended,
    AppendOutcome,
    Conflict,
    Duplicates,
    Entry,
    Epoch,
    EpochChanged,
    Loaded,
    ReadOutcome,
    Seq,
    Trimmed,
)

T = TypeVar("T")


class UnknownReply(Exception):
    """Redis answered something that the script does not answer."""


def _as(kind: type[T], value: object) -> T:
    if not isinstance(value, kind):
        raise UnknownReply
    return value


def number(value: object) -> int:
    """An integer, as Redis gives it: a number or text."""
    return value if isinstance(value, int) else int(float(_as(bytes, value)))


def _head(reply: object) -> tuple[bytes, Sequence[object]]:
    parts = _as(list, reply)
    return _as(bytes, parts[0]), parts[1:]


def entries_of(stream: object) -> tuple[Entry, ...]:
    """The entries of an XRANGE."""
    entries = []
    for _id, fields in _as(list, stream):
        field, packed = fields
        entries.append(unpack_entry(field, packed))
    return tuple(entries)


def over_of(reply: object) -> bool:
    """The answer of `load`: whether the room is unknown because its session is over."""
    word, (_history, over, *_) = _head(reply)
    return word == b"unknown" and number(over) > 0


def history_of(reply: object) -> bytes:
    """Of the answer of `create`, `load` and `restore`: which history of writes the server goes on with."""
    _word, (history, *_) = _head(reply)
    return _as(bytes, history)


def loaded_of(reply: object) -> Loaded | None:
    """The answer of `create`, `load` and `restore`."""
    word, rest = _head(reply)
    if word == b"unknown":
        return None
    if word != b"loaded":
        raise UnknownReply
    _history, epoch, seq, at_ms, snapshot, entries = rest
    state = unpack_state(_as(bytes, snapshot))
    return Loaded(Epoch(number(epoch)), Seq(number(seq)), state, entries_of(entries), number(at_ms))


def read_of(reply: object) -> ReadOutcome:
    """The answer of `read`."""
    match _head(reply):
        case b"entries", [entries]:
            return entries_of(entries)
        case b"trimmed", []:
            return Trimmed()
        case b"epoch", [epoch]:
            return EpochChanged(Epoch(number(epoch)))
        case _:
            raise UnknownReply


def append_of(reply: object) -> AppendOutcome:
    """The answer of `append`. Raises UnknownReply also where log time would have gone back."""
    match _head(reply):
        case b"appended", [_lost_news]:
            return Appended()
        case b"duplicates", [seqs]:
            return Duplicates(tuple(None if seq is None else Seq(number(seq)) for seq in _as(list, seqs)))
        case b"conflict", [missing]:
            return Conflict(entries_of(missing))
        case b"epoch", [epoch]:
            return EpochChanged(Epoch(number(epoch)))
        case _:
            raise UnknownReply


def lost_news_of(reply: object) -> int:
    """The answer of `append` that was stored: how much older news had to give way."""
    return number(_head(reply)[1][0])


def news_of(reply: object) -> list[tuple[int, int, list[tuple[bytes, bytes]]]]:
    """The answer of `news`: number of the key, how much there is, and ids and bodies of some."""
    found = []
    for part in _as(list, reply):
        key, count, some = part
        bodies = [(_as(bytes, name), _as(bytes, fields[1])) for name, fields in _as(list, some) if fields[0] == FIELD]
        found.append((number(key) - 1, number(count), bodies))
    return found


def rooms_of(reply: object) -> list[RoomId]:
    """The answer of `due` and `rooms`."""
    return [RoomId(_as(bytes, room).decode()) for room in _as(list, reply)]
