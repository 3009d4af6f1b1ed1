# SPDX-License-Identifier: Apache-2.0
"""Reading transport-wide feedback and following the delay in C, behind the faces of the Python reference."""

from __future__ import annotations

from typing import Final

from server.media.congestion.acknowledged import Batch
from server.media.congestion.delay import Usage
from server.media.congestion.estimator import Estimator
from server.media.congestion.feedback import MalformedFeedback
from server.media.congestion.history import SIZE
from server.media.congestion.trains import NS
from server.media.native.library import CData, ffi
from server.media.native.stream import SharedHistory

_USAGES: Final = (Usage.UNDER, Usage.NORMAL, Usage.OVER)


class CompiledFeedback:
    """What all subscribers of one packet path share: the batch that was read last."""

    def __init__(self, functions: CData) -> None:
        self.read = functions.feedback_read
        self.follow = functions.trend_follow
        self.open = functions.trend_open
        self.look = functions.trains_add
        self.batch = ffi.new("struct batch *")
        self.numbers = _view(self.batch.numbers, 8, "q")
        self.sent = _view(self.batch.sent, 8, "q")
        self.ticks = _view(self.batch.ticks, 8, "q")
        self.sizes = _view(self.batch.sizes, 2, "H")

    def estimator(self, history: SharedHistory) -> Estimator:
        """For one subscriber."""
        acknowledger = CompiledAcknowledger(self, history)
        return Estimator(history, acknowledger, lambda: CompiledTrend(self), lambda: CompiledTrains(self))


class CompiledBatch(Batch):
    """The same, and what all of it took on the link is known already."""

    __slots__ = ("_wire_bytes",)

    def __init__(self, shared: CompiledFeedback) -> None:
        batch = shared.batch
        count = batch.count
        super().__init__(shared.numbers[:count], shared.sent[:count], shared.sizes[:count], shared.ticks[:count])
        self.lost, self.judged = batch.lost, batch.judged
        self._wire_bytes: int = batch.wire_bytes

    def wire_bytes(self, low: int = 0, high: int | None = None) -> int:
        """See `Batch`."""
        return super().wire_bytes(low, high) if low or high is not None else self._wire_bytes


class CompiledAcknowledger:
    """See `server.media.congestion.acknowledged.Acknowledger`. A batch is good until any other is read."""

    __slots__ = ("_history", "_shared", "struct")

    def __init__(self, shared: CompiledFeedback, history: SharedHistory) -> None:
        self._shared = shared
        self._history = history
        self.struct = ffi.new("struct acknowledger *")
        history.lend(self.struct)
        self.struct.told = history.state[0] - 1

    def read(self, message: bytes) -> Batch | None:
        """See `server.media.congestion.acknowledged.Acknowledger`."""
        shared = self._shared
        found = shared.read(self.struct, shared.batch, message, len(message))
        if found < 0:
            raise MalformedFeedback
        if not found:
            return None
        return CompiledBatch(shared)


class CompiledTrend:
    """See `server.media.congestion.delay.Trend`; follows what the acknowledger read last."""

    __slots__ = ("_batch", "_follow", "struct")

    def __init__(self, shared: CompiledFeedback) -> None:
        self._batch = shared.batch
        self._follow = shared.follow
        self.struct = ffi.new("struct trend *")
        shared.open(self.struct)

    @property
    def least_ns(self) -> int:
        """See `server.media.congestion.delay.Trend`."""
        return int(self.struct.least_ns)

    def follow(self, batch: Batch) -> Usage:  # noqa: ARG002 - it lies where C put it
        """See `server.media.congestion.delay.Trend`."""
        return _USAGES[self._follow(self.struct, self._batch)]


class CompiledTrains:
    """See `server.media.congestion.trains.Trains`; looks at what the acknowledger read last."""

    __slots__ = ("_batch", "_look", "_struct")

    def __init__(self, shared: CompiledFeedback) -> None:
        self._batch = shared.batch
        self._look = shared.look
        self._struct = ffi.new("struct trains *")

    def add(self, batch: Batch) -> float:  # noqa: ARG002 - it lies where C put it
        """See `server.media.congestion.trains.Trains`."""
        struct = self._struct
        self._look(struct, self._batch)
        octets = struct.proven_bytes
        return octets * 8 * NS / struct.proven_ns if octets else 0.0


def _view(field: CData, size: int, code: str) -> memoryview:
    return memoryview(ffi.buffer(field, SIZE * size)).cast(code)  # type: ignore[call-overload,no-any-return]
