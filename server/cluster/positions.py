# SPDX-License-Identifier: Apache-2.0
"""Where logs stand, as far as this node has been told. Pure."""

from __future__ import annotations

from msgspec import Struct

from server.ids import RoomId
from server.ports import Epoch, Seq


class Position(Struct, frozen=True, order=True):
    """A place in the lives of a room's log."""

    epoch: Epoch
    seq: Seq


UNTOLD = Position(Epoch(0), Seq(0))


class Positions:
    """The newest position of each followed room that this node was told of, by an answer or a hint."""

    def __init__(self) -> None:
        self._told: dict[RoomId, Position] = {}

    def follow(self, room: RoomId) -> None:
        """Remember what is told of this room."""
        self._told.setdefault(room, UNTOLD)

    def leave(self, room: RoomId) -> None:
        """Remember it no longer."""
        self._told.pop(room, None)

    def tell(self, room: RoomId, epoch: Epoch, seq: int, *, anew: bool = False) -> None:
        """The log stood there. `anew`: the node has loaded the room, and may have gone back."""
        known = self._told.get(room)
        if known is not None:
            told = Position(epoch, Seq(seq))
            self._told[room] = told if anew else max(known, told)

    def snapshot(self) -> dict[RoomId, Position]:
        """What is known now; to be handed to `strays` with an answer that was asked for after this."""
        return dict(self._told)

    def strays(self, room: RoomId, asked: Position, found: Position) -> bool:
        """Whether the log stands elsewhere than this node was told since the question was `asked`."""
        known = self._told.get(room)
        return known is not None and not asked <= found <= known
