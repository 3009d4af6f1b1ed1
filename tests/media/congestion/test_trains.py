# SPDX-License-Identifier: Apache-2.0
"""What packets that come all at once prove, and what they do not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.media.congestion.acknowledged import HEADERS, Batch
from server.media.congestion.trains import Trains

MS = 1_000_000
TICKS_PER_MS = 4
SIZE = 1_000


def batch(sent_ms: list[int], arrived_ms: list[float], size: int = SIZE) -> Batch:
    """Packets of one size."""
    ticks = [int(at * TICKS_PER_MS) for at in arrived_ms]
    return Batch(range(len(sent_ms)), [at * MS for at in sent_ms], [size] * len(sent_ms), ticks)


def test_what_waited_and_came_at_once_proves_the_link() -> None:
    """300 ms of packets that come within 30 ms: the link carries ten times what was sent."""
    sent = list(range(0, 300, 10))
    proven = Trains().add(batch(sent, [400 + at / 10 for at in sent]))
    offered = (SIZE + HEADERS) * 8 * 100
    assert 8 * offered < proven < 14 * offered


def test_a_train_may_be_told_of_in_several_messages() -> None:
    """Feedback comes every 50 ms or so, whatever waited for how long."""
    trains = Trains()
    assert not trains.add(batch(list(range(0, 100, 10)), [400 + i for i in range(10)]))
    assert trains.add(batch(list(range(100, 200, 10)), [410 + i for i in range(10)])) > 0


@given(st.lists(st.integers(1, 30), min_size=20, max_size=120), st.integers(50, 20_000), st.integers(60, 1_200))
def test_a_link_is_never_proven_faster_than_it_is(gaps_ms: list[int], rate_kbps: int, size: int) -> None:
    """Behind a bottleneck nothing comes faster than the bottleneck lets it through, whatever the queue does."""
    sent, arrived = [0], [0.0]
    per_packet_ms = (size + HEADERS) * 8 / rate_kbps
    for gap in gaps_ms:
        sent.append(sent[-1] + gap)
        arrived.append(max(arrived[-1], float(sent[-1])) + per_packet_ms)
    # A tick of the feedback's clock at either end, over the least time that is believed.
    assert Trains().add(batch(sent, arrived, size)) <= rate_kbps * 1000 * 1.25


@pytest.mark.parametrize("pause_ms", [0, 80])
def test_pictures_in_bursts_prove_nothing(pause_ms: int) -> None:
    """A burst that leaves and comes at once, also after a pause in which nothing was sent."""
    sent = [frame * 66 + pause_ms * (frame > 4) for frame in range(10) for _ in range(5)]
    assert Trains().add(batch(sent, [20 + at for at in sent])) == 0
