# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from server.media.congestion.estimator import FLOOR_BPS, START_BPS
from server.media.congestion.fallback import HEADROOM, Fallback

MS = 1_000_000


def test_grows_only_with_use() -> None:
    """More is tried as long as what is allowed is used, and never far beyond it."""
    fallback = Fallback()
    for step in range(600):
        fallback.tick(1e6, 50 * MS, (10_000 + step * 50) * MS)
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
