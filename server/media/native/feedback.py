# SPDX-License-Identifier: Apache-2.0
"""Reading transport-wide feedback and following the delay in C, behind the faces of the Python reference."""

from __future__ import annotations

from typing import Any, Final

from server.media.congestion.acknowledged import Batch
from server.media.congestion.delay import Usage
from server.media.congestion.estimator import Estimator
from server.media.congestion.feedback import MalformedFeedback
from server.media.congestion.history import SIZE, SendHistory
from server.media.native.library import ffi

_USAGES: Final = (Usage.UNDER, Usage.NORMAL, Usage.OVER)


class CompiledFeedback:
    """What all subscribers of one packet path share: the batch that was read last."""

    def __init__(self, functions: Any) -> None:  # noqa: ANN401
        self.read = functions.feedback_read
        self.follow = functions.trend_follow
        self.open = functions.trend_open
        self.batch = ffi.new("struct batch *")
        self.numbers = _view(self.batch.numbers, 8, "q")
        self.sent = _view(self.batch.sent, 8, "q")
        self.ticks = _view(self.batch.ticks, 8, "q")
        self.sizes = _view(self.batch.sizes, 2, "H")

    def estimator(self, history: SendHistory) -> Estimator:
        """For one subscriber."""
        return Estimator(history, CompiledAcknowledger(self, history), lambda: CompiledTrend(self))


class CompiledAcknowledger:
    """See `server.media.congestion.acknowledged.Acknowledger`. A batch is good until any other is read."""

    __slots__ = ("_arrays", "_shared", "struct")

    def __init__(self, shared: CompiledFeedback, history: SendHistory) -> None:
        self._shared = shared
        self.struct = ffi.new("struct acknowledger *")
        self._arrays = (
            ffi.from_buffer("int64_t[]", history.state, require_writable=True),
            ffi.from_buffer("int64_t[]", history.times, require_writable=True),
            ffi.from_buffer("uint16_t[]", history.sizes, require_writable=True),
        )
        self.struct.state, self.struct.times, self.struct.sizes = self._arrays
        self.struct.told = history.state[0] - 1

    def read(self, message: bytes) -> Batch | None:
        """See `server.media.congestion.acknowledged.Acknowledger`."""
        shared = self._shared
        batch = shared.batch
        found = shared.read(self.struct, batch, message, len(message))
        if found < 0:
            raise MalformedFeedback
        if not found:
            return None
        count = batch.count
        made = Batch(shared.numbers[:count], shared.sent[:count], shared.sizes[:count], shared.ticks[:count])
        made.lost, made.judged = batch.lost, batch.judged
        return made


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


def _view(field: Any, size: int, code: str) -> memoryview:  # noqa: ANN401
    return memoryview(ffi.buffer(field, SIZE * size)).cast(code)  # type: ignore[call-overload,no-any-return]
