# SPDX-License-Identifier: Apache-2.0
"""How fast packets were sent and how fast they came, over the same packets."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from typing import Final

from server.media.congestion.acknowledged import Batch

WINDOW_NS: Final = 1_000_000_000
SHORT_NS: Final = 300_000_000
PEAK_NS: Final = 150_000_000
RECENT_NS: Final = 250_000_000
NS: Final = 1_000_000_000


class Rates:
    """Sums of the last feedbacks. All figures are bits per second, 0 while there is too little."""

    __slots__ = ("_marks",)

    def __init__(self) -> None:
        # After each feedback: newest sent ns, newest arrival ns, bytes that came, packets judged, packets lost.
        self._marks: deque[tuple[int, ...]] = deque()

    def add(self, batch: Batch) -> None:
        """One feedback more."""
        if not len(batch.sent):
            return
        marks = self._marks
        before = marks[-1] if marks else (batch.sent[0], batch.arrived(0), 0, 0, 0)
        came = before[2] + batch.wire_bytes()
        newest = max(before[0], batch.sent[-1])
        marks.append(
            (newest, max(before[1], batch.arrived(-1)), came, before[3] + batch.judged, before[4] + batch.lost)
        )
        while marks[0][0] < newest - 2 * WINDOW_NS and len(marks) > 2:
            marks.popleft()

    def correct(self, batch: Batch) -> None:
        """What was told as lost came after all."""
        if self._marks:
            newest, arrived, came, judged, lost = self._marks[-1]
            self._marks[-1] = (newest, arrived, came, judged, lost + batch.lost)

    def delivered_bps(self, window_ns: int = WINDOW_NS) -> float:
        """What came, by the subscriber's clock."""
        return self._over(window_ns, 1)

    def peak_bps(self, recent_ns: int = RECENT_NS) -> float:
        """The highest rate of delivery over `PEAK_NS` lately: while a queue stands, that is what the link carries.

        A mean would take the pauses between the bursts of a forwarder for a slow link. `recent_ns` 0: the last only.
        """
        marks = self._marks
        best = 0.0
        start = len(marks) - 1
        for end in range(len(marks) - 1, 0, -1):
            if marks[-1][0] - marks[end][0] > recent_ns:
                break
            start = min(start, end - 1)
            while start > 0 and marks[end][1] - marks[start][1] < PEAK_NS:
                start -= 1
            span = marks[end][1] - marks[start][1]
            if span >= PEAK_NS // 2:
                best = max(best, (marks[end][2] - marks[start][2]) * 8 * NS / span)
        return best

    def offered_bps(self, window_ns: int = WINDOW_NS) -> float:
        """The same packets by our clock: above `delivered_bps` while a queue builds up."""
        return self._over(window_ns, 0)

    def loss(self, since_ns: int) -> tuple[float, int]:
        """The share lost of what was sent since then, and of how many packets."""
        marks = self._marks
        at = bisect_left(marks, (since_ns,))
        if at == len(marks):
            return 0.0, 0
        first, newest = marks[at], marks[-1]
        judged = newest[3] - first[3]
        return (max(0, newest[4] - first[4]) / judged if judged else 0.0), judged

    def _over(self, window_ns: int, clock: int) -> float:
        marks = self._marks
        if len(marks) < 2:
            return 0.0
        newest = marks[-1]
        first = marks[max(0, bisect_left(marks, (newest[0] - window_ns + 1,)) - 1)]
        span = newest[clock] - first[clock]
        return (newest[2] - first[2]) * 8 * NS / span if span > window_ns // 4 else 0.0
