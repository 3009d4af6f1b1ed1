# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from server.runner.seeds import BITS, Seeds


def test_seeds_differ_and_fill_their_bits() -> None:
    """Over several draws from the system; each bit is set in some and not in others."""
    seeds = Seeds()
    drawn = [seeds() for _ in range(2_000)]
    assert len(set(drawn)) == len(drawn)
    assert all(0 <= seed < 1 << BITS for seed in drawn)
    assert all(0 < sum(seed >> bit & 1 for seed in drawn) < len(drawn) for bit in range(BITS))
