# SPDX-License-Identifier: Apache-2.0
"""How long it took until everybody on this node was told of a commit, for metrics and traces."""

from __future__ import annotations

from server.observing import Meter, Tracer
from server.ports import Clock, Epoch, Seq
from server.rooms.state import RoomState
from server.runner.listeners import Commit


class DeliveryTimer:
    """Listens to a room after those that write to its clients."""

    def __init__(self, clock: Clock, meter: Meter | None, tracer: Tracer | None) -> None:
        self._clock = clock
        self._meter = meter
        self._tracer = tracer

    def committed(self, commit: Commit) -> None:
        """It has been told of."""
        if self._meter is not None:
            self._meter.delivered(max(0, self._clock.now_ms() - commit.at_ms) / 1000)
        if self._tracer is not None:
            self._tracer.delivered(commit.commands, commit.traces)

    def reset(self, state: RoomState, epoch: Epoch, seq: Seq) -> None:
        """Everybody is shown the room anew: of no command in particular."""

    def closed(self, error: Exception) -> None:
        """What waits is answered, and that ends its span."""
