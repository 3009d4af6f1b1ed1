# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from itertools import pairwise

from server.media.congestion.estimator import FLOOR_BPS, START_BPS
from server.media.congestion.fallback import HEADROOM, Fallback

MS = 1_000_000


def test_grows_only_with_use() -> None:
    """More is tried as long as what is allowed is used, and never far beyond it."""
    fallback = Fallback()
    for step in range(600):
        fallback.tick(1e6, 0, 50 * MS, (10_000 + step * 50) * MS)
    assert START_BPS < fallback.target_bps < 1.02 * HEADROOM * 1e6


def test_remb_only_lowers() -> None:
    """An estimate above what is sent justifies nothing; one below is believed."""
    fallback = Fallback()
    fallback.remb(5_000_000, 500_000, 10_000 * MS)
    assert fallback.target_bps == START_BPS
    fallback.remb(300_000, 500_000, 10_000 * MS)
    assert fallback.target_bps == 300_000


def test_high_loss_lowers_once_a_second() -> None:
    """Reports of one second are one sign; some loss is none; one voice always remains."""
    fallback = Fallback()
    fallback.report(0.05, 10_000 * MS)
    assert fallback.target_bps == START_BPS
    for _ in range(3):
        fallback.report(0.5, 20_000 * MS)
    assert fallback.target_bps == 0.75 * START_BPS
    for second in range(30, 80):
        fallback.report(0.9, second * 1_000 * MS)
    assert fallback.target_bps == FLOOR_BPS


def test_a_larger_picture_is_tried_and_left_for_longer_each_time() -> None:
    """What it needs is allowed while reports come; loss takes it back, and the next try is further away."""
    fallback, tries = Fallback(), []
    for step in range(1_300):
        now_ns = (10_000 + step * 100) * MS
        large = fallback.target_bps > 2e6
        if step % 10 == 0:
            fallback.report(0.3 if large else 0.0, now_ns)
        before = fallback.target_bps
        fallback.tick(1.9e6 if large else 3e5, 2.2e6, 100 * MS, now_ns)
        if before <= 2e6 < fallback.target_bps:
            tries.append(step / 10)
    waits = [after - before for before, after in pairwise(tries)]
    assert len(waits) >= 2
    assert all(later > 1.3 * earlier for earlier, later in pairwise(waits))


def test_nothing_is_tried_for_who_says_nothing() -> None:
    """Without any report a client gets no more than what it used before."""
    fallback = Fallback()
    for step in range(600):
        fallback.tick(3e5, 2.2e6, 50 * MS, (10_000 + step * 50) * MS)
    assert fallback.target_bps == START_BPS


def test_an_estimate_counts_as_being_heard_of() -> None:
    """A client that sends REMB and no reports is there, too: more is tried with it."""
    fallback = Fallback()
    for step in range(600):
        now_ns = (10_000 + step * 50) * MS
        if step % 20 == 0:
            fallback.remb(5_000_000, 3e5, now_ns)
        fallback.tick(3e5, 2.2e6, 50 * MS, now_ns)
    assert fallback.target_bps > START_BPS
