# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from server.media.meter import NS, Meter

MS = 1_000_000


def fed(seconds: float, size: int = 250, gap_ns: int = NS // 100, start_ns: int = 7 * NS) -> tuple[Meter, int]:
    """A meter after an even stream, and the time then."""
    meter, now_ns = Meter(), start_ns
    while now_ns < start_ns + seconds * NS:
        meter.add(size, now_ns)
        now_ns += gap_ns
    return meter, now_ns


@pytest.mark.parametrize("seconds", [0.3, 1, 1.1, 7.6])
def test_an_even_stream_has_its_rate(seconds: float) -> None:
    """250 bytes a hundred times a second are 200 kbit/s, soon after the start and later."""
    meter, now_ns = fed(seconds)
    assert meter.bps(now_ns) == pytest.approx(200_000, rel=0.05)


def test_a_first_burst_is_no_rate_yet() -> None:
    """One packet is judged over a quarter of a second, not over nothing."""
    meter, now_ns = fed(0.01)
    assert meter.bps(now_ns) == 250 * 8 * 4


def test_a_stream_that_stopped_has_none() -> None:
    """It falls over a second, and is zero after it, however often one asks."""
    meter, now_ns = fed(3)
    rates = [meter.bps(now_ns + step * NS // 20) for step in range(30)]
    assert rates == sorted(rates, reverse=True)
    assert rates[26:] == [0] * 4


def test_a_stream_that_begins_again_is_a_new_one() -> None:
    """After a silence that was watched, the rate is as quickly right as at the start."""
    meter, now_ns = fed(3)
    for step in range(60):
        meter.bps(now_ns + step * NS // 20)
    now_ns += 3 * NS
    for step in range(30):
        meter.add(250, now_ns + step * NS // 100)
    assert meter.bps(now_ns + 30 * NS // 100) == pytest.approx(200_000, rel=0.2)
    assert meter.total == 330 * 250


def test_steady_rate_does_not_follow_a_keyframe() -> None:
    """Once settled, one burst moves it little; a stream that stopped has none."""
    meter = Meter()
    for tick in range(400):
        meter.add(500, tick * 20 * MS)
    settled = meter.steady_bps(8_000 * MS)
    assert 180_000 < settled < 220_000
    for _ in range(20):
        meter.add(1_000, 8_010 * MS)
    meter.add(500, 8_300 * MS)
    assert meter.bps(8_300 * MS) > 1.4 * settled
    assert meter.steady_bps(8_300 * MS) < 1.3 * settled
    assert meter.steady_bps(12_000 * MS) == 0
