# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from server.media.congestion.acknowledged import Batch
from server.media.congestion.delay import DelayDetector, Usage
from server.media.congestion.feedback import TICK_NS

MS = 1_000_000
START_MS = 50_000


def feed(detector: DelayDetector, start_ms: int, seconds: float, delay_ms: Callable[[float], float]) -> list[Usage]:
    """Feedback each 100 ms about a packet each 10 ms; the delay is a function of the time since `start_ms`."""
    usages = []
    for batch_ms in range(start_ms, start_ms + int(seconds * 1000), 100):
        sent = [(batch_ms + index * 10) * MS for index in range(10)]
        ticks = [(at + int(delay_ms(at / MS - start_ms) * MS)) // TICK_NS for at in sent]
        usages.append(detector.add(Batch(range(10), sent, [1_000] * 10, ticks)))
    return usages


def test_constant_delay_is_normal() -> None:
    """However long the way is, a delay that stays says nothing."""
    detector = DelayDetector()
    assert set(feed(detector, START_MS, 5, lambda _: 300.0)) == {Usage.NORMAL}
    assert detector.queue_ms < 1


def test_growing_queue_is_overuse_soon() -> None:
    """A queue that grows by 100 ms each second is noticed within half a second."""
    detector = DelayDetector()
    feed(detector, START_MS, 2, lambda _: 50.0)
    usages = feed(detector, START_MS + 2_000, 1, lambda ms: 50 + ms / 10)
    assert Usage.OVER in usages[:5]
    assert detector.queue_ms > 50


def test_draining_queue_is_underuse() -> None:
    """While a queue drains the link is not overused any more, though the queue is still there."""
    detector = DelayDetector()
    feed(detector, START_MS, 2, lambda _: 50.0)
    feed(detector, START_MS + 2_000, 1, lambda ms: 50 + ms / 5)
    usages = feed(detector, START_MS + 3_000, 1, lambda ms: 250 - ms / 5)
    assert set(usages[3:8]) == {Usage.UNDER}


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_no_queue(seed: int) -> None:
    """Jitter whose least delay stays is not taken for congestion."""
    chance = random.Random(seed)
    detector = DelayDetector()
    usages = feed(detector, START_MS, 30, lambda _: 50 + abs(chance.gauss(0, 8)))
    assert usages.count(Usage.OVER) == 0


def test_long_queue_that_stays_is_overuse() -> None:
    """A queue that does not grow any more, but stands, is still one."""
    detector = DelayDetector()
    feed(detector, START_MS, 2, lambda _: 50.0)
    usages = feed(detector, START_MS + 2_000, 3, lambda _: 200.0)
    assert set(usages[-10:]) == {Usage.OVER}
    detector.rebase()
    assert set(feed(detector, START_MS + 5_000, 2, lambda _: 200.0)) == {Usage.NORMAL}


def test_longer_route_is_learnt() -> None:
    """A route that became longer is no queue for ever."""
    detector = DelayDetector()
    feed(detector, START_MS, 2, lambda _: 50.0)
    feed(detector, START_MS + 2_000, 25, lambda _: 250.0)
    assert detector.queue_ms < 1
