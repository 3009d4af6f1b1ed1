# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from server.rooms.commands import RaiseHand, SendChat
from server.signaling.limits import Buckets, Rate, TokenBucket, cost_of


def test_a_burst_then_a_wait() -> None:
    """The burst is there at once, after it the bucket says how long."""
    bucket = TokenBucket(Rate(per_second=2, burst=3), now_ms=0)
    for _ in range(3):
        assert bucket.wait_ms(1, 0) == 0
        bucket.take(1)
    assert bucket.wait_ms(1, 0) == 501
    assert bucket.wait_ms(1, 501) == 0


def test_only_busy_buckets_are_kept() -> None:
    """What somebody has used is known until it would have come back anyway."""
    buckets = Buckets[str](Rate(per_second=1, burst=3))
    used = buckets.of("ann", 0)
    used.take(2)
    buckets.of("bob", 1_000)
    assert buckets.of("ann", 1_000) is used
    buckets.of("cid", 2_000)
    assert buckets.of("ann", 2_000) is not used


def test_costs_differ() -> None:
    """Chat costs more than a hand."""
    assert cost_of(SendChat("x")) > cost_of(RaiseHand())


@given(st.lists(st.tuples(st.integers(-50, 2_000), st.floats(0.5, 4)), max_size=60))
def test_nobody_gets_more_than_the_rate(steps: list[tuple[int, float]]) -> None:
    """Whatever the times of asking, also if the clock goes back: burst plus rate times time is the most."""
    rate = Rate(per_second=5, burst=10)
    bucket, now, latest, taken = TokenBucket(rate, 0), 0, 0, 0.0
    for wait, cost in steps:
        now = max(0, now + wait)
        latest = max(latest, now)
        if bucket.wait_ms(cost, now) == 0:
            bucket.take(cost)
            taken += cost
        assert taken <= rate.burst + latest * rate.per_second / 1000 + 1e-6


@given(st.floats(0.5, 10), st.integers(0, 100_000))
def test_the_wait_that_is_told_is_enough(cost: float, now: int) -> None:
    """Whoever waits as long as told gets through."""
    bucket = TokenBucket(Rate(per_second=3, burst=10), now)
    bucket.take(10)
    assert bucket.wait_ms(cost, now + bucket.wait_ms(cost, now)) == 0
