# SPDX-License-Identifier: Apache-2.0
"""The judgement over a simulated link: a queue of a rate, or loss by count."""

from __future__ import annotations

import pytest

from loadtest.uplink import OTHERS_BPS, SETTLE_NS, Uplink

SECOND = 1_000_000_000
MS = 1_000_000
LAYERS = (100_000, 300_000, 900_000)


class Sending:
    """Sends what the uplink allows, 100 packets a second, through a queue of 400 ms; feedback every 100 ms."""

    def __init__(self) -> None:
        self.uplink = Uplink(LAYERS)
        self.now_ns = SECOND
        self.changes = 0
        self.free_ns = 0
        self.count = 0

    def run(self, seconds: float, rate_bps: int = 10_000_000, lose_every: int = 0) -> None:
        """Go on for a while."""
        for _ in range(round(seconds * 10)):
            before = self.uplink.allowed
            told = [self._send(rate_bps, lose_every) for _ in range(10)]
            self.uplink.feedback(told, self.now_ns + 80 * MS)
            self.changes += self.uplink.allowed != before

    def _send(self, rate_bps: int, lose_every: int) -> tuple[int, int | None]:
        size = (sum(LAYERS[: self.uplink.allowed]) + OTHERS_BPS) // 8 // 100
        self.now_ns += 10 * MS
        self.count += 1
        number = self.uplink.number(size, self.now_ns) & 0xFFFF
        start_ns = max(self.now_ns, self.free_ns)
        if start_ns - self.now_ns > 400 * MS or (lose_every and self.count % lose_every == 0):
            return number, None
        self.free_ns = start_ns + size * 8 * SECOND // rate_bps
        return number, self.free_ns + 20 * MS


def test_a_good_link_keeps_all_layers() -> None:
    """And the round trip is known."""
    sending = Sending()
    sending.run(5)
    assert sending.uplink.allowed == 3
    assert 0 < sending.uplink.round_trip_ns < 200 * MS


@pytest.mark.parametrize(("rate_bps", "layers"), [(150_000, 1), (350_000, 1), (700_000, 2), (1_000_000, 2)])
def test_a_narrow_link_carries_what_fits(rate_bps: int, layers: int) -> None:
    """Found within seconds, and tried again seldom."""
    sending = Sending()
    sending.run(6, rate_bps)
    assert sending.uplink.allowed == layers
    sending.changes = 0
    sending.run(30, rate_bps)
    assert sending.changes <= 8


def test_five_percent_of_loss_is_borne() -> None:
    """Loss without a queue is the network's, not ours, up to a tenth."""
    sending = Sending()
    sending.run(10, lose_every=20)
    assert sending.uplink.allowed == 3


def test_heavy_loss_takes_layers_away_one_by_one() -> None:
    """Down to the smallest, which is never given up."""
    sending = Sending()
    sending.run(1)
    sending.run(SETTLE_NS / SECOND / 2, lose_every=4)
    assert sending.uplink.allowed == 2
    sending.run(10, lose_every=4)
    assert sending.uplink.allowed == 1


def test_layers_come_back() -> None:
    """When the link has recovered, after a while."""
    sending = Sending()
    sending.run(6, 300_000)
    assert sending.uplink.allowed == 1
    sending.run(90)
    assert sending.uplink.allowed == 3
