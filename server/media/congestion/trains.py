# SPDX-License-Identifier: Apache-2.0
"""What a link has been seen to carry: packets sent over some time that came in much less.

When a receiver's processor stalls, or a radio, packets wait and then come all at once. Their delay looks like a full
link, and their arrival proves the opposite: a link cannot deliver faster than it carries (the idea of packet trains,
Jain and Dovrolis, "Pathload", PAM 2002).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from typing import Final, Protocol

from server.media.congestion.acknowledged import Batch

TRAIN_NS: Final = 100_000_000
"""So long a train is sent; shorter ones come at once from any radio that sends in bursts."""

TRAIN_BYTES: Final = 4_000
"""And so much is in it: two packets prove nothing, of which the first waited and the second did not."""

COMPRESSION: Final = 3
SHORTEST_NS: Final = 5_000_000
"""What came within less is taken to have come within this: a clock of 250 us says no more."""

_LEAST_GAIN_NS: Final = TRAIN_NS * (COMPRESSION - 1) // COMPRESSION
"""By so much less its last packet is late than the first, if a train is compressed."""

MARKS: Final = 64
"""At most so many are kept; fewer, unless feedback comes much too often."""

_MARK_NS: Final = 20_000_000
_KEPT_NS: Final = 600_000_000
NS: Final = 1_000_000_000


class TrainsPort(Protocol):
    """See `Trains`."""

    def add(self, batch: Batch) -> float: ...


class Trains:
    """Looks for compressed trains across feedback messages."""

    __slots__ = ("_came", "_longest_ns", "_marks")

    def __init__(self) -> None:
        # Every 20 ms of what was sent: sent ns, arrived ns, bytes that came before this packet.
        self._marks: deque[tuple[int, int, int]] = deque(maxlen=MARKS)
        self._came = 0
        self._longest_ns = 0
        """No mark had a longer delay. Mostly that alone tells that nothing was compressed."""

    def add(self, batch: Batch) -> float:
        """The highest rate in bits per second that a train ending in this batch proves; 0 for none."""
        sent = batch.sent
        proven = 0.0
        start, at, count = 0, 0, len(sent)
        while at < count:
            due_ns = self._marks[-1][0] + _MARK_NS if self._marks else 0
            index = min(bisect_left(sent, due_ns, at), count - 1)
            self._came += batch.wire_bytes(start, index)
            proven = max(proven, self._mark(sent[index], batch.arrived(index)))
            start, at = index, index + 1
        self._came += batch.wire_bytes(start, count)
        return proven

    def _mark(self, sent_ns: int, arrived_ns: int) -> float:
        marks = self._marks
        while marks and (marks[0][0] < sent_ns - _KEPT_NS or marks[-1][0] > sent_ns):
            marks.popleft()
        delay_ns = arrived_ns - sent_ns
        if not marks or delay_ns > self._longest_ns:
            self._longest_ns = delay_ns
        proven = self._prove(sent_ns, arrived_ns) if self._longest_ns - delay_ns >= _LEAST_GAIN_NS else 0.0
        marks.append((sent_ns, arrived_ns, self._came))
        return proven

    def _prove(self, sent_ns: int, arrived_ns: int) -> float:
        proven = 0.0
        longest_ns = arrived_ns - sent_ns
        for earlier_ns, came_ns, came in reversed(self._marks):
            longest_ns = max(longest_ns, came_ns - earlier_ns)
            length_ns = sent_ns - earlier_ns
            if length_ns < TRAIN_NS:
                continue
            took_ns = max(SHORTEST_NS, arrived_ns - came_ns)
            length_bytes = self._came - came
            if took_ns * COMPRESSION <= length_ns and length_bytes >= TRAIN_BYTES:
                proven = max(proven, length_bytes * 8 * NS / took_ns)
        self._longest_ns = longest_ns
        return proven
