# SPDX-License-Identifier: Apache-2.0
"""Asking a link whether it bears more: padding beside the media for a moment, never for long, never again and again.

Media is what a forwarder was given, not what the link bears: only such padding can justify going up.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Final

from server.media.congestion.acknowledged import Batch
from server.media.congestion.history import SendHistory

LENGTH_NS: Final = 250_000_000
LEAST_BYTES: Final = 12_000
"""A slower probe lasts until this much was sent."""

LONGEST_NS: Final = 1_000_000_000
FIRST_WAIT_NS: Final = 2_000_000_000
LONGEST_WAIT_NS: Final = 10_000_000_000
THIN_BPS: Final = 160_000
THIN_PATIENCE: Final = 3
"""Below this rate waits are longer by this factor: a voice alone nearly fills such a link, and a queue stays long."""

LEAST_SHARE: Final = 0.9
"""Less than this share of the rate sent arriving means that the link is full."""

PADDING_SHARE: Final = 0.05
"""Padding over all time is at most this share of the rate in use, and the credit."""

CREDIT_BYTES: Final = 400_000
MOST_AT_ONCE: Final = 12_000
NS: Final = 1_000_000_000


class Result:
    """What a probe found: the rate that came through, and whether that was all that was sent."""

    __slots__ = ("clean", "rate_bps")

    def __init__(self, rate_bps: float, *, clean: bool) -> None:
        self.rate_bps = rate_bps
        self.clean = clean


class Prober:
    """At most one probe at a time. `credit` bounds what all of them may cost."""

    __slots__ = (
        "_aborted", "_arrived", "_began_ns", "_bytes", "_credit_at_ns", "_edge", "_first", "_goal_bps", "_history",
        "_last", "_sent", "_start_bytes", "_until_ns", "_wait_ns", "credit", "not_before_ns",
    )  # fmt: skip

    def __init__(self, history: SendHistory) -> None:
        self._history = history
        self.not_before_ns = 0
        self.credit = float(CREDIT_BYTES)
        self._credit_at_ns = 0
        self._wait_ns = FIRST_WAIT_NS
        self._goal_bps = 0.0
        self._first: int | None = None
        self._last: int | None = None
        self._began_ns = self._until_ns = self._start_bytes = 0
        self._aborted = False
        self._clear()

    def _clear(self) -> None:
        self._first = self._last = None
        self._aborted = False
        self._bytes = 0
        self._edge = (0, 0)
        self._sent = (0, 0)
        self._arrived = (0, 0)

    @property
    def active(self) -> bool:
        """From the first packet until the result."""
        return self._first is not None

    @property
    def sending(self) -> bool:
        """Whether `due` wants to be asked often."""
        return self._first is not None and self._last is None

    def begin(self, goal_bps: float, now_ns: int) -> bool:
        """Start a probe that brings the whole rate to `goal_bps`, if it is time for one and the credit allows it."""
        length = max(LENGTH_NS, min(LONGEST_NS, int(LEAST_BYTES * 8 * NS / goal_bps)))
        if self.active or now_ns < self.not_before_ns or self.credit < goal_bps * length / NS / 8:
            return False
        self._clear()
        self._first = self._history.state[0]
        self._goal_bps = goal_bps
        self._began_ns, self._until_ns = now_ns, now_ns + length
        self._start_bytes = self._history.total_bytes
        return True

    def earn(self, rate_bps: float, now_ns: int) -> None:
        """Credit grows with the rate in use."""
        elapsed = min(NS, now_ns - self._credit_at_ns)
        self._credit_at_ns = now_ns
        self.credit = min(CREDIT_BYTES, self.credit + PADDING_SHARE * rate_bps * elapsed / NS / 8)

    def due(self, now_ns: int) -> int:
        """Bytes of padding to send now; to be asked every 10 ms or so while `sending`."""
        if self._first is None or self._last is not None:
            return 0
        if self._aborted or now_ns >= self._until_ns:
            self._last = self._history.state[0] - 1
            return 0
        planned = int(self._goal_bps * (now_ns - self._began_ns) / NS / 8)
        missing = planned - (self._history.total_bytes - self._start_bytes)
        return max(0, min(missing, MOST_AT_ONCE))

    def spent(self, size_bytes: int) -> None:
        """So much padding left."""
        self.credit -= size_bytes

    def abort(self) -> None:
        """The delay grows: stop at once; what was sent is still measured."""
        self._aborted = True
        if self._first is not None and self._last is None:
            self._last = self._history.state[0] - 1

    def cancel(self) -> None:
        """What was sent went another way than what will be; the next may begin at once."""
        self._clear()
        self.not_before_ns = 0
        self._wait_ns = FIRST_WAIT_NS

    def observe(self, batch: Batch | None, now_ns: int, rtt_ns: int, known_bps: float) -> Result | None:
        """The result, once feedback (None: still nothing new) covers the last packet or will not come any more.

        `known_bps` is the highest rate known to come through: finding no more than that makes the next wait longer.
        """
        if self._first is None:
            return None
        numbers = batch.numbers if batch is not None else ()
        if batch is not None:
            self._measure(batch)
        told = self._last is not None and bool(numbers) and numbers[-1] >= self._last
        overdue = self._last is not None and now_ns > self._until_ns + rtt_ns + NS // 2
        return self._finish(now_ns, rtt_ns, known_bps) if told or overdue else None

    def _measure(self, batch: Batch) -> None:
        low = bisect_left(batch.numbers, self._first or 0)
        high = len(batch.numbers) if self._last is None else bisect_right(batch.numbers, self._last)
        if low >= high:
            return
        if not self._bytes:
            self._edge = (batch.wire_bytes(low, low + 1), 0)
            self._sent = (batch.sent[low], 0)
            self._arrived = (batch.arrived(low), 0)
        self._bytes += batch.wire_bytes(low, high)
        self._edge = (self._edge[0], batch.wire_bytes(high - 1, high))
        self._sent = (self._sent[0], batch.sent[high - 1])
        self._arrived = (self._arrived[0], max(self._arrived[1], batch.arrived(high - 1)))

    def _finish(self, now_ns: int, rtt_ns: int, known_bps: float) -> Result | None:
        sent_ns, arrived_ns = self._sent[1] - self._sent[0], self._arrived[1] - self._arrived[0]
        aborted = self._aborted
        size = self._bytes
        first, last = self._edge
        self._clear()
        if sent_ns <= 0 or arrived_ns <= 0 or size < LEAST_BYTES // 8:
            self._postpone(now_ns)
            return None
        sent_bps = (size - last) * 8 * NS / sent_ns
        came_bps = (size - first) * 8 * NS / arrived_ns
        clean = not aborted and came_bps >= LEAST_SHARE * sent_bps
        rate = min(sent_bps, came_bps)
        if clean:
            self._wait_ns = FIRST_WAIT_NS
            self.not_before_ns = now_ns + rtt_ns // 2
        elif rate > 1.1 * known_bps:
            self.not_before_ns = now_ns + self._wait_ns
        else:
            self._postpone(now_ns)
        return Result(rate, clean=clean)

    def _postpone(self, now_ns: int) -> None:
        self.not_before_ns = now_ns + self._wait_ns * (THIN_PATIENCE if self._goal_bps < THIN_BPS else 1)
        self._wait_ns = min(LONGEST_WAIT_NS, 2 * self._wait_ns)
