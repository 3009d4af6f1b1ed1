# SPDX-License-Identifier: Apache-2.0
"""How many layers of its picture a peer may send, from transport-wide feedback. Pure.

Enough to behave on a narrow link, no more: when packets are lost or pile up, what arrived then is what the link bears,
and layers beyond it are left out; the estimate grows slowly, so that they are tried again. A browser (GCC) is finer.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

TOO_MUCH_LOSS: Final = 0.10
TOO_LONG_QUEUE_NS: Final = 150_000_000
SHORT_QUEUE_NS: Final = 50_000_000
JUDGE_EVERY_NS: Final = 500_000_000
SETTLE_NS: Final = 1_500_000_000
"""After a change of the layers what was queued before it still tells of what was before."""
GROWTH: Final = 1.015
"""Of the estimate, with each judgement that finds nothing wrong."""
HEADROOM: Final = 1.3
"""Layers are added only when the estimate is so much above what they take."""
OTHERS_BPS: Final = 100_000
"""Sound, retransmissions and headers."""
_UNKNOWN_BPS: Final = 100_000_000.0
_FEWEST: Final = 20
_KEPT: Final = 0x1000


class Told(NamedTuple):
    """A packet of which the other side told: when it was sent and came (other clock), and how large it is."""

    sent_ns: int
    came_ns: int | None
    size: int


class Uplink:
    """Numbers what is sent and judges by what the other side says of it. `bit_rates` of the layers, smallest first."""

    def __init__(self, bit_rates: tuple[int, ...]) -> None:
        self.allowed = len(bit_rates)
        """How many layers, the smallest first."""
        self.round_trip_ns = 0
        self.borne_bps = _UNKNOWN_BPS
        self._bit_rates = bit_rates
        self._number = 0
        self._sent = [(0, 0)] * _KEPT
        self._told: list[Told] = []
        """Since the last judgement."""
        self._fastest_ns: int | None = None
        self._judged_ns = 0
        self._settled_ns = 0

    def number(self, size: int, now_ns: int) -> int:
        """The transport-wide number of a packet of so many bytes that leaves now."""
        self._number += 1
        self._sent[self._number % _KEPT] = now_ns, size
        return self._number

    def feedback(self, told: Iterable[tuple[int, int | None]], now_ns: int) -> None:
        """Take in one feedback message: numbers of 16 bits with arrival times of the other clock."""
        for number, came_ns in told:
            behind = self._number - number & 0xFFFF
            if behind >= _KEPT or behind >= self._number:
                continue
            sent_ns, size = self._sent[self._number - behind & _KEPT - 1]
            self._told.append(Told(sent_ns, came_ns, size))
            if came_ns is not None:
                self.round_trip_ns = now_ns - sent_ns
        if now_ns - self._judged_ns >= JUDGE_EVERY_NS and len(self._told) >= _FEWEST:
            self._judge(now_ns)

    def _judge(self, now_ns: int) -> None:
        told, self._told, self._judged_ns = self._told, [], now_ns
        trips = [one.came_ns - one.sent_ns for one in told if one.came_ns is not None]
        loss = 1 - len(trips) / len(told)
        queue_ns = 0
        if trips:
            self._fastest_ns = min(trips) if self._fastest_ns is None else min(self._fastest_ns, *trips)
            queue_ns = sum(trips) // len(trips) - self._fastest_ns
        if loss > TOO_MUCH_LOSS or queue_ns > TOO_LONG_QUEUE_NS:
            self._lower(told, now_ns)
        elif queue_ns < SHORT_QUEUE_NS:
            self._raise(now_ns)

    def _lower(self, told: list[Told], now_ns: int) -> None:
        if now_ns < self._settled_ns or self.allowed == 1:
            return
        came = [one.came_ns for one in told if one.came_ns is not None]
        octets = sum(one.size for one in told if one.came_ns is not None)
        span_ns = max(came) - min(came) if came else 0
        self.borne_bps = octets * 8e9 / span_ns if span_ns else 0.0
        self.allowed = max(1, min(self.allowed - 1, self._bearable(1.0)))
        self._settled_ns = now_ns + SETTLE_NS

    def _raise(self, now_ns: int) -> None:
        self.borne_bps = min(_UNKNOWN_BPS, self.borne_bps * GROWTH)
        if now_ns >= self._settled_ns and self._bearable(HEADROOM) > self.allowed:
            self.allowed += 1
            self._settled_ns = now_ns + SETTLE_NS

    def _bearable(self, headroom: float) -> int:
        """How many layers fit into the estimate."""
        sums = [sum(self._bit_rates[: index + 1]) + OTHERS_BPS for index in range(len(self._bit_rates))]
        return sum(needed * headroom <= self.borne_bps for needed in sums)
