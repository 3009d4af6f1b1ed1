# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from loadtest.uplink import FIRST_RETRY_NS, Uplink

SECOND = 1_000_000_000
MS = 1_000_000


def seconds(uplink: Uplink, start_s: float, count: float, *, lose_every: int = 0, queue_ms: int = 0) -> float:
    """Send 100 packets a second, each told about 40 ms later; returns the end."""
    for tick in range(round(count * 20)):
        now_ns = round((start_s + tick / 20) * SECOND)
        sent = [uplink.number(now_ns + index * 10 * MS) for index in range(5)]
        told: list[tuple[int, int | None]] = [
            (number & 0xFFFF, None if lose_every and number % lose_every == 0 else now_ns + (7 + queue_ms) * MS)
            for number in sent
        ]
        uplink.feedback(told, now_ns + 80 * MS)
    return start_s + count


def test_a_good_link_keeps_all_layers() -> None:
    """And the round trip is known."""
    uplink = Uplink(3)
    seconds(uplink, 1.0, 5)
    assert uplink.allowed == 3
    assert 0 < uplink.round_trip_ns <= 80 * MS


def test_loss_takes_layers_away_one_by_one() -> None:
    """Down to the smallest, which is never given up."""
    uplink = Uplink(3)
    now_s = seconds(uplink, 1.0, 2)
    now_s = seconds(uplink, now_s, 0.75, lose_every=4)
    assert uplink.allowed == 2
    seconds(uplink, now_s, 5, lose_every=4)
    assert uplink.allowed == 1


def test_five_percent_of_loss_is_borne() -> None:
    """Loss without a queue is the network's, not ours, up to a tenth."""
    uplink = Uplink(3)
    seconds(uplink, 1.0, 10, lose_every=20)
    assert uplink.allowed == 3


def test_a_growing_queue_takes_layers_away() -> None:
    """Before anything is lost."""
    uplink = Uplink(3)
    now_s = seconds(uplink, 1.0, 2)
    seconds(uplink, now_s, 1, queue_ms=300)
    assert uplink.allowed < 3


def test_layers_come_back_and_failures_wait_longer() -> None:
    """A retry after some seconds; when it fails the next waits twice as long."""
    uplink = Uplink(2)
    now_s = seconds(uplink, 1.0, 1)
    now_s = seconds(uplink, now_s, 1, queue_ms=300)
    assert uplink.allowed == 1
    now_s = seconds(uplink, now_s, FIRST_RETRY_NS / SECOND + 1)
    assert uplink.allowed == 2
    now_s = seconds(uplink, now_s, 1, queue_ms=300)
    now_s = seconds(uplink, now_s, FIRST_RETRY_NS / SECOND + 1)
    assert uplink.allowed == 1
    seconds(uplink, now_s, FIRST_RETRY_NS / SECOND)
    assert uplink.allowed == 2
