# SPDX-License-Identifier: Apache-2.0
"""One person's copy of the room: folded from what the server sends, as the server folds it itself. No I/O."""

from __future__ import annotations

from typing import assert_never

import msgspec
from msgspec.structs import asdict

from holdspace_client.protocol.rooms.events import Event
from holdspace_client.protocol.rooms.evolve import fold
from holdspace_client.protocol.rooms.state import RoomState, RoomView
from holdspace_client.protocol.signaling.messages import Events, Resume, RoomMessage, Snapshot, Welcome


class EventsMissed(Exception):
    """What came does not follow what was there; only a snapshot helps."""


class Mirror:
    """Empty until a Welcome or a Snapshot brings a view. `epoch` and `seq` say how far it has come."""

    def __init__(self) -> None:
        self._state: RoomState | None = None
        self.epoch = 0
        self.seq = 0

    @property
    def view(self) -> RoomView | None:
        """The room as this person may see it; None before the first message."""
        return self._state

    def resume(self, secret: str) -> Resume:
        """How to ask for what follows."""
        return msgspec.convert({"epoch": self.epoch, "seq": self.seq, "secret": secret}, Resume)

    def apply(self, message: RoomMessage) -> tuple[Event, ...]:
        """Take in one message; returns the events that were new. Raises EventsMissed and changes nothing."""
        match message:
            case Welcome(view=RoomView() as view) | Snapshot(view=view):
                self._replace(view, message.epoch, message.seq)
                return ()
            case Welcome():
                return self._follow(message.tail or (), message.epoch, message.seq)
            case Events():
                if message.epoch == self.epoch and message.to <= self.seq:
                    return ()
                if message.first != self.seq + 1:
                    raise EventsMissed
                return self._follow(message.events, message.epoch, message.to)
            case _:
                assert_never(message)

    def _replace(self, view: RoomView, epoch: int, seq: int) -> None:
        # A snapshot may be older than events that overtook it.
        if (epoch, seq) >= (self.epoch, self.seq):
            self._state = RoomState(**asdict(view))
            self.epoch, self.seq = epoch, seq

    def _follow(self, events: tuple[Event, ...], epoch: int, seq: int) -> tuple[Event, ...]:
        if self._state is None or epoch != self.epoch:
            raise EventsMissed
        self._state = fold(self._state, events)
        self.seq = seq
        return events
