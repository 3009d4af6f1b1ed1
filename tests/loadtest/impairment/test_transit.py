# SPDX-License-Identifier: Apache-2.0
"""The pure core: by counts over many packets with fixed seeds, and exactly where chance has no part."""

from __future__ import annotations

import random
from itertools import groupby, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.impairment.profile import Bursts, Profile
from loadtest.impairment.transit import Transit

MS = 1_000_000
SECOND = 1_000_000_000


def transit(profile: Profile, seed: int = 1) -> Transit:
    """One direction with its own chance."""
    return Transit(profile, random.Random(seed))


def arrivals(way: Transit, count: int, every_ns: int, size: int = 1_000, start_ns: int = 0) -> list[tuple[int, ...]]:
    """Send at a steady pace."""
    return [way.arrivals(size, start_ns + index * every_ns) for index in range(count)]


def test_a_perfect_link_delivers_at_once() -> None:
    """Without figures nothing happens to a packet."""
    assert arrivals(transit(Profile()), 3, 5) == [(0,), (5,), (10,)]


def test_delay_is_added_exactly() -> None:
    """In nanoseconds."""
    assert transit(Profile(delay_ms=12.5)).arrivals(100, 7) == (7 + 12_500_000,)


def test_the_rate_spaces_packets() -> None:
    """A burst comes out at the rate of the link, headers counted."""
    way = transit(Profile(rate_bps=1_000_000))
    times = [time for (time,) in arrivals(way, 10, 0, size=972)]
    assert {after - before for before, after in pairwise(times)} == {8 * MS}
    assert times[0] == 8 * MS


def test_the_queue_is_bounded_in_time() -> None:
    """What would wait longer is dropped, and what is dropped takes no time of the link."""
    way = transit(Profile(rate_bps=1_000_000, queue_ms=40))
    sent = arrivals(way, 100, 0, size=972)
    assert sum(map(len, sent)) == 6  # five of 8 ms wait up to 40 ms, the sixth begins exactly then
    assert (way.counts.overflowed, way.counts.longest_wait_ms) == (94, 40.0)
    assert way.arrivals(972, 48 * MS) == (56 * MS,)


def test_a_drop_of_the_rate_holds_for_what_comes_after_it() -> None:
    """What was queued keeps its time, the next packet waits for it and then takes longer."""
    way = transit(Profile(rate_bps=1_000_000))
    arrivals(way, 2, 0, size=972)
    way.profile = Profile(rate_bps=100_000)
    assert way.arrivals(972, 0) == (16 * MS + 80 * MS,)


@pytest.mark.parametrize("share", [0.01, 0.05, 0.1, 0.3])
def test_independent_loss_has_its_share(share: float) -> None:
    """Within four standard deviations over 20,000 packets, and the runs are as short as chance makes them."""
    way = transit(Profile(loss=share))
    lost = [not found for found in arrivals(way, 20_000, MS)]
    assert sum(lost) / len(lost) == pytest.approx(share, abs=4 * (share * (1 - share) / 20_000) ** 0.5)
    assert way.counts.lost == sum(lost)
    assert mean_run(lost) == pytest.approx(1 / (1 - share), rel=0.1)


def test_bursts_have_their_share_and_length() -> None:
    """Gilbert-Elliott: 0.02 / (0.02 + 0.25) of the packets, four in a row on average."""
    lost = [not found for found in arrivals(transit(Profile(bursts=Bursts(0.02, 0.25))), 100_000, MS)]
    assert sum(lost) / len(lost) == pytest.approx(0.02 / 0.27, rel=0.1)
    assert mean_run(lost) == pytest.approx(4, rel=0.1)


def test_jitter_spreads_and_keeps_the_order() -> None:
    """Between the delay and the delay with the whole jitter."""
    every_ns = 50 * MS
    times = [time for (time,) in arrivals(transit(Profile(delay_ms=100, jitter_ms=40)), 2_000, every_ns)]
    delays = [time - index * every_ns for index, time in enumerate(times)]
    assert min(delays) >= 100 * MS
    assert max(delays) <= 140 * MS
    assert sum(delays) / len(delays) == pytest.approx(120 * MS, rel=0.02)
    dense = [time for (time,) in arrivals(transit(Profile(delay_ms=100, jitter_ms=40)), 2_000, MS)]
    assert dense == sorted(dense)


def test_reordering_holds_back_its_share() -> None:
    """Held back by that time, so that later packets pass; the others are not touched."""
    way = transit(Profile(delay_ms=20, reorder=0.1, reorder_ms=15))
    delays = [time - index * MS for index, (time,) in enumerate(arrivals(way, 10_000, MS))]
    assert set(delays) == {20 * MS, 35 * MS}
    assert delays.count(35 * MS) / len(delays) == pytest.approx(0.1, rel=0.15)
    assert way.counts.held_back == delays.count(35 * MS)


def test_duplicates_come_twice() -> None:
    """Their share, and counted."""
    way = transit(Profile(duplicate=0.2))
    found = arrivals(way, 10_000, MS, size=10)
    assert sum(len(times) == 2 for times in found) / len(found) == pytest.approx(0.2, rel=0.1)
    assert way.counts.delivered == sum(map(len, found))
    assert way.counts.octets == 10 * way.counts.delivered


def test_another_delay_loses_the_same_packets() -> None:
    """With one seed the fate of a packet by chance does not depend on the other figures."""
    first = arrivals(transit(Profile(loss=0.1)), 1_000, MS)
    second = arrivals(transit(Profile(loss=0.1, delay_ms=50, jitter_ms=9, reorder=0.3)), 1_000, MS)
    assert [bool(found) for found in first] == [bool(found) for found in second]
    other = arrivals(transit(Profile(loss=0.1), seed=2), 1_000, MS)
    assert [bool(found) for found in first] != [bool(found) for found in other]


@given(
    seed=st.integers(0, 1_000),
    rate_bps=st.sampled_from([0, 100_000, 5_000_000]),
    loss=st.floats(0, 1),
    jitter_ms=st.floats(0, 100),
    reorder=st.floats(0, 1),
    gaps=st.lists(st.integers(0, 50 * MS), max_size=60),
)
def test_every_packet_is_accounted_for(
    seed: int, rate_bps: int, loss: float, jitter_ms: float, reorder: float, gaps: list[int]
) -> None:
    """Nothing arrives before it was sent; each is delivered, lost or overflowed; the same seed, the same times."""
    profile = Profile(
        rate_bps=rate_bps, delay_ms=10, jitter_ms=jitter_ms, loss=loss, reorder=reorder, duplicate=0.1, queue_ms=100
    )
    first, again = transit(profile, seed), transit(profile, seed)
    now_ns = 0
    for gap in gaps:
        now_ns += gap
        times = first.arrivals(500, now_ns)
        assert times == again.arrivals(500, now_ns)
        assert all(time >= now_ns + 10 * MS for time in times)
    counts = first.counts
    assert counts.offered == len(gaps)
    assert counts.offered == counts.delivered - counts.duplicated + counts.lost + counts.overflowed


def mean_run(lost: list[bool]) -> float:
    """Mean length of the stretches of loss."""
    runs = [len(list(group)) for value, group in groupby(lost) if value]
    return sum(runs) / len(runs)
