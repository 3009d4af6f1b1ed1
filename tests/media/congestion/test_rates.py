# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from server.media.congestion.acknowledged import HEADERS, Batch
from server.media.congestion.feedback import TICK_NS
from server.media.congestion.rates import Rates

MS = 1_000_000


def batch(start_ms: int, count: int, *, sent_every_ms: float, came_every_ms: float, came_ms: float) -> Batch:
    """Packets of 1,000 bytes with their headers."""
    sent = [int((start_ms + index * sent_every_ms) * MS) for index in range(count)]
    ticks = [int((came_ms + index * came_every_ms) * MS) // TICK_NS for index in range(count)]
    made = Batch(range(count), sent, [1_000 - HEADERS] * count, ticks)
    made.judged = count
    return made


def test_rates_of_both_clocks() -> None:
    """While a queue builds up what came is slower than what was sent; the peak is what the queue drains at."""
    rates = Rates()
    for step in range(10):
        rates.add(batch(1_000 + step * 100, 10, sent_every_ms=10, came_every_ms=20, came_ms=1_000 + step * 200))
    assert 780_000 < rates.offered_bps() < 830_000
    assert 390_000 < rates.delivered_bps() < 415_000
    assert 390_000 < rates.peak_bps() < 415_000


def test_pauses_do_not_lower_the_peak() -> None:
    """Bursts with pauses between them: the mean is low, the peak is what came within a burst."""
    rates = Rates()
    for burst_ms in range(1_000, 6_600, 800):
        for start in range(burst_ms, burst_ms + 400, 100):
            rates.add(batch(start, 10, sent_every_ms=10, came_every_ms=10, came_ms=start))
    assert rates.delivered_bps() < 560_000
    assert rates.peak_bps() > 0.85 * 800_000


def test_loss_since_a_time_and_its_correction() -> None:
    """Losses count from a moment on; a packet that came late is taken out again."""
    rates = Rates()
    for step in range(10):
        made = batch(1_000 + step * 100, 10, sent_every_ms=10, came_every_ms=10, came_ms=1_000 + step * 100)
        made.lost = 2 if step > 4 else 0
        rates.add(made)
    assert rates.loss(0) == (10 / 90, 90)
    assert rates.loss(1_500 * MS) == (8 / 40, 40)
    late = Batch([7], [1_900 * MS], [1_000], [9])
    late.lost = -1
    rates.correct(late)
    assert rates.loss(1_500 * MS) == (7 / 40, 40)
    assert rates.loss(9_999 * MS) == (0.0, 0)
