# SPDX-License-Identifier: Apache-2.0
"""What one incoming stream tells: order, duplicates, loss, jitter (RFC 3550 sections 6.4.1, A.1, A.3, A.8). Pure."""

from __future__ import annotations

from typing import Final

WINDOW: Final = 1024
"""Packets older than this behind the newest are not taken any more; as wide as the SRTP replay window."""

MAX_LATENESS_NS: Final = 40_000_000
"""A packet that seems later than this has rather come over a slower path than late over the old one."""

_MASK: Final = (1 << WINDOW) - 1


class ReceiveStatistics:
    """Unwraps sequence numbers to 48 bits, removes duplicates and keeps the figures of a receiver report."""

    __slots__ = (
        "_base",
        "_earliest",
        "_prior_expected",
        "_prior_received",
        "_seen",
        "_transit",
        "clock_rate",
        "highest",
        "jitter",
        "received",
    )

    def __init__(self, clock_rate: int) -> None:
        self.clock_rate = clock_rate
        self.highest = -1
        self.received = 0
        self.jitter = 0.0
        self._base = 0
        self._seen = 0
        self._transit: int | None = None
        self._earliest = 0
        self._prior_expected = 0
        self._prior_received = 0

    def accept(self, sequence: int) -> int | None:
        """The extended sequence number of a new packet; None for a duplicate and for one too old to judge."""
        if self.highest < 0:
            # One cycle up, so that a packet from just before the first one has a number too.
            self.highest = self._base = sequence + 0x10000
            self._seen = 1
            self.received = 1
            return self.highest
        ahead = (sequence - self.highest + 0x8000 & 0xFFFF) - 0x8000
        extended = self.highest + ahead
        if ahead > 0:
            self._seen = (self._seen << ahead | 1) & _MASK if ahead < WINDOW else 1
            self.highest = extended
        elif -ahead >= WINDOW or self._seen >> -ahead & 1:
            return None
        else:
            self._seen |= 1 << -ahead
        self.received += 1
        return extended

    def arrived(self, timestamp: int, now_ns: int) -> None:
        """Feed the interarrival jitter with a packet that was not a retransmission."""
        transit = now_ns * self.clock_rate // 1_000_000_000 - timestamp & 0xFFFFFFFF
        if self._transit is None:
            self._earliest = transit
        else:
            difference = (transit - self._transit + 0x80000000 & 0xFFFFFFFF) - 0x80000000
            self.jitter += (abs(difference) - self.jitter) / 16
            late = (transit - self._earliest + 0x80000000 & 0xFFFFFFFF) - 0x80000000
            # The earliest of late, not of ever: it gives way by a tick per packet, as fast as clocks drift apart.
            self._earliest = transit if late < 0 or late > self.clock_rate else self._earliest + 1
        self._transit = transit

    def lateness_ns(self, timestamp: int, now_ns: int) -> int:
        """How much later than the earliest of the last packets this one came, at most `MAX_LATENESS_NS`."""
        if self._transit is None:
            return 0
        transit = now_ns * self.clock_rate // 1_000_000_000 - timestamp
        late = (transit - self._earliest + 0x80000000 & 0xFFFFFFFF) - 0x80000000
        return min(max(late, 0) * 1_000_000_000 // self.clock_rate, MAX_LATENESS_NS)

    @property
    def expected(self) -> int:
        """Packets that were sent, as the numbers tell."""
        return self.highest - self._base + 1 if self.highest >= 0 else 0

    def lost(self) -> int:
        """Cumulative packets lost; below zero is possible after late arrivals."""
        return self.expected - self.received

    def fraction_lost(self) -> int:
        """Loss since the last call, in 256ths, 0 to 255."""
        expected = self.expected
        expected_now, received_now = expected - self._prior_expected, self.received - self._prior_received
        self._prior_expected, self._prior_received = expected, self.received
        lost = expected_now - received_now
        return 0 if expected_now <= 0 or lost <= 0 else min(255, (lost << 8) // expected_now)
