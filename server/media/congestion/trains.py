# SPDX-License-Identifier: Apache-2.0
"""What a link has been seen to carry: packets sent over some time that came in much less.

When a receiver's processor stalls, or a radio, packets wait and then come all at once. Their delay looks like a full
link, and their arrival proves the opposite: a link cannot deliver faster than it carries (the idea of packet trains,
Jain and Dovrolis, "Pathload", PAM 2002).
"""

from __future__ import annotations

from collections import deque
from typing import Final

from server.media.congestion.acknowledged import Batch

TRAIN_NS: Final = 100_000_000
"""So long a train is sent; shorter ones come at once from any radio that sends in bursts."""

TRAIN_BYTES: Final = 4_000
"""And so much is in it: two packets prove nothing, of which the first waited and the second did not."""

COMPRESSION: Final = 3
SHORTEST_NS: Final = 5_000_000
"""What came within less is taken to have come within this: a clock of 250 us says no more."""

_MARK_NS: Final = 20_000_000
_KEPT_NS: Final = 600_000_000
NS: Final = 1_000_000_000


class Trains:
    """Looks for compressed trains across feedback messages."""

    __slots__ = ("_came", "_marks")

    def __init__(self) -> None:
        # Every 20 ms of what was sent: sent ns, arrived ns, bytes that came before this packet.
        self._marks: deque[tuple[int, int, int]] = deque()
        self._came = 0

    def add(self, batch: Batch) -> float:
        """The highest rate in bits per second that a train ending in this batch proves; 0 for none."""
        sent = batch.sent
        proven = 0.0
        start, count = 0, len(sent)
        for index in range(count):
            if index < count - 1 and sent[index] - (self._marks[-1][0] if self._marks else 0) < _MARK_NS:
                continue
            self._came += batch.wire_bytes(start, index)
            start = index
            proven = max(proven, self._mark(sent[index], batch.arrived(index)))
        self._came += batch.wire_bytes(start, count)
        return proven

    def _mark(self, sent_ns: int, arrived_ns: int) -> float:
        marks = self._marks
        while marks and (marks[0][0] < sent_ns - _KEPT_NS or marks[-1][0] > sent_ns):
            marks.popleft()
        proven = 0.0
        for earlier_ns, came_ns, came in reversed(marks):
            length_ns = sent_ns - earlier_ns
            if length_ns < TRAIN_NS:
                continue
            took_ns = max(SHORTEST_NS, arrived_ns - came_ns)
            length_bytes = self._came - came
            if took_ns * COMPRESSION <= length_ns and length_bytes >= TRAIN_BYTES:
                proven = max(proven, length_bytes * 8 * NS / took_ns)
        marks.append((sent_ns, arrived_ns, self._came))
        return proven
