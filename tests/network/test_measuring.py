# SPDX-License-Identifier: Apache-2.0
"""Figures from samples, without a network."""

from __future__ import annotations

import pytest

from tests.network.measuring import Sample, figures, recovered_s


def sample(index: int, *, shown: int, concealed: int = 0) -> Sample:
    """The tenth of a second with this number: two frames and five packets of sound are due in each."""
    return Sample(
        at_s=index / 10,
        octets=1_000 * index,
        shown=shown,
        frames_due=2.0 if index else 0.0,
        freezes=0,
        frozen_ms=0.0,
        packets_due=5 * index,
        concealed=concealed,
        heights=(270,),
        paused=0,
    )


def test_shares_are_of_what_was_due() -> None:
    """Frames, sound and bits over the span."""
    found = figures([sample(index, shown=index, concealed=index // 2) for index in range(21)])
    assert found.frames == pytest.approx(0.5)
    assert found.concealed == pytest.approx(0.1)
    assert found.received_bps == pytest.approx(80_000)


def test_recovery_is_when_it_stays_good() -> None:
    """Not the first good moment, but the first that lasts for a second."""
    shown, taken = 0, []
    for index in range(40):
        shown += 2 if index < 3 or index > 12 else 0
        taken.append(sample(index, shown=shown, concealed=0))
    assert recovered_s(taken) == pytest.approx(1.2, abs=0.11)


def test_no_recovery_is_told() -> None:
    """Nothing is invented at the end of a span."""
    assert recovered_s([sample(index, shown=index) for index in range(30)]) is None
    assert recovered_s([sample(index, shown=2 * index) for index in range(5)]) is None
