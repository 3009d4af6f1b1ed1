# SPDX-License-Identifier: Apache-2.0
"""How many layers of its picture a peer may send, from transport-wide feedback. Pure.

Enough to behave on a narrow link, no more: the largest layer is given up when packets are lost or pile up, and tried
again later. What a browser does (GCC) is finer.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

TOO_MUCH_LOSS: Final = 0.10
LITTLE_LOSS: Final = 0.06
TOO_LONG_QUEUE_NS: Final = 150_000_000
SHORT_QUEUE_NS: Final = 50_000_000
JUDGE_EVERY_NS: Final = 500_000_000
FIRST_RETRY_NS: Final = 4_000_000_000
LAST_RETRY_NS: Final = 60_000_000_000
_FEWEST: Final = 20
_KEPT: Final = 0x1000


class Uplink:
    """Numbers what is sent and judges by what the other side says of it."""

    def __init__(self, layers: int) -> None:
        self.allowed = layers
        """How many layers, the smallest first."""
        self.round_trip_ns = 0
        self._layers = layers
        self._number = 0
        self._sent_ns = [0] * _KEPT
        self._said: list[int | None] = []
        """Of the packets told about since the last judgement: the time under way, None for a lost one."""
        self._fastest_ns: int | None = None
        self._judged_ns = 0
        self._retry_ns = FIRST_RETRY_NS
        self._raise_ns = 0
        self._raised_ns = -LAST_RETRY_NS

    def number(self, now_ns: int) -> int:
        """The transport-wide number of a packet that leaves now."""
        self._number += 1
        self._sent_ns[self._number % _KEPT] = now_ns
        return self._number

    def feedback(self, told: Iterable[tuple[int, int | None]], now_ns: int) -> None:
        """Take in one feedback message: numbers of 16 bits with arrival times of the other clock."""
        for number, came_ns in told:
            behind = self._number - number & 0xFFFF
            if behind >= _KEPT or behind >= self._number:
                continue
            sent_ns = self._sent_ns[self._number - behind & _KEPT - 1]
            self._said.append(None if came_ns is None else came_ns - sent_ns)
            if came_ns is not None:
                self.round_trip_ns = now_ns - sent_ns
        if now_ns - self._judged_ns >= JUDGE_EVERY_NS and len(self._said) >= _FEWEST:
            self._judge(now_ns)

    def _judge(self, now_ns: int) -> None:
        trips = [trip for trip in self._said if trip is not None]
        loss = 1 - len(trips) / len(self._said)
        fastest = min([*trips, *([] if self._fastest_ns is None else [self._fastest_ns])], default=0)
        queue_ns = sum(trips) // len(trips) - fastest if trips else 0
        self._fastest_ns, self._said, self._judged_ns = fastest, [], now_ns
        if (loss > TOO_MUCH_LOSS or queue_ns > TOO_LONG_QUEUE_NS) and self.allowed > 1:
            self._lower(now_ns)
        elif loss < LITTLE_LOSS and queue_ns < SHORT_QUEUE_NS and self.allowed < self._layers:
            self._raise(now_ns)

    def _lower(self, now_ns: int) -> None:
        failed = now_ns - self._raised_ns < FIRST_RETRY_NS
        self._retry_ns = min(LAST_RETRY_NS, 2 * self._retry_ns) if failed else FIRST_RETRY_NS
        self._raise_ns = now_ns + self._retry_ns
        self.allowed -= 1

    def _raise(self, now_ns: int) -> None:
        if now_ns >= self._raise_ns:
            self.allowed += 1
            self._raised_ns = now_ns
            self._raise_ns = now_ns + FIRST_RETRY_NS
