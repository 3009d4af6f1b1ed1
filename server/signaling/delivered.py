# SPDX-License-Identifier: Apache-2.0
"""When everybody on this node has been told of a command, for whoever takes the time of commands."""

from __future__ import annotations

from server.ports import Epoch, Seq
from server.rooms.state import RoomState
from server.runner.listeners import Commit
from server.tracing import Tracer


class Delivered:
    """Listens to a room after those that write to its clients."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def committed(self, commit: Commit) -> None:
        """Its commands have been told of."""
        self._tracer.reached(commit.commands, "delivered")

    def reset(self, state: RoomState, epoch: Epoch, seq: Seq) -> None:
        """Everybody is shown the room anew: of no command in particular."""

    def closed(self, error: Exception) -> None:
        """What waits is answered, and that ends its span."""
