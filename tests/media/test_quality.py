# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.media.quality import BETTER_AFTER, WORSE_AFTER, LastSecond, Verdict, Watchman, judge
from server.ports import Quality, QualityReason

GOOD, WEAK, POOR = Quality.GOOD, Quality.WEAK, Quality.POOR
SHARE = st.floats(0, 1)
LINKS = st.builds(
    LastSecond,
    up_loss=SHARE,
    up_jitter_ms=st.floats(0, 400),
    down_loss=SHARE,
    queue_ms=st.floats(0, 1000),
    rtt_ms=st.floats(0, 2000),
    target_bps=st.none() | st.floats(30_000, 5_000_000),
    paused=st.integers(0, 12),
)


@pytest.mark.parametrize(
    ("link", "verdict"),
    [
        (LastSecond(), Verdict()),
        (LastSecond(up_loss=0.04, down_loss=0.05, rtt_ms=300, target_bps=2e6), Verdict()),
        (LastSecond(up_loss=0.08), Verdict(WEAK, GOOD, QualityReason.LOSS)),
        (LastSecond(up_jitter_ms=250), Verdict(POOR, GOOD, QualityReason.DELAY)),
        (LastSecond(down_loss=0.3), Verdict(GOOD, POOR, QualityReason.LOSS)),
        (LastSecond(queue_ms=200), Verdict(GOOD, WEAK, QualityReason.DELAY)),
        (LastSecond(target_bps=400_000, paused=2), Verdict(GOOD, WEAK, QualityReason.BANDWIDTH)),
        (LastSecond(target_bps=60_000, paused=2, up_loss=0.06), Verdict(WEAK, POOR, QualityReason.BANDWIDTH)),
    ],
)
def test_what_is_said_of_a_second(link: LastSecond, verdict: Verdict) -> None:
    """Small loss is repaired and not worth a word; the worse direction gives the reason."""
    assert judge(link) == verdict


@given(LINKS)
def test_a_reason_is_named_exactly_when_something_is_the_matter(link: LastSecond) -> None:
    """Nobody is told that all is well and why it is not."""
    verdict = judge(link)
    assert (verdict.reason is None) == (verdict.up is GOOD and verdict.down is GOOD)


def test_one_bad_second_is_not_told() -> None:
    """A hiccup passes before the words could be read."""
    watchman = Watchman()
    told = [
        watchman.look(link)
        for link in (LastSecond(down_loss=0.3), LastSecond(), LastSecond(down_loss=0.3), LastSecond())
    ]
    assert told == [None] * 4


def test_what_lasts_is_told_once_and_taken_back_later() -> None:
    """Worse after two looks, better after five."""
    watchman = Watchman()
    worse = [watchman.look(LastSecond(down_loss=0.3)) for _ in range(WORSE_AFTER + 3)]
    assert [verdict is not None for verdict in worse] == [False] * (WORSE_AFTER - 1) + [True] + [False] * 3
    better = [watchman.look(LastSecond()) for _ in range(BETTER_AFTER + 1)]
    assert [verdict == Verdict() for verdict in better] == [False] * (BETTER_AFTER - 1) + [True, False]


@given(st.lists(LINKS, max_size=60))
def test_a_link_that_flickers_is_not_told_at_every_turn(links: list[LastSecond]) -> None:
    """At most one change in `WORSE_AFTER` looks, whatever comes."""
    watchman = Watchman()
    told = [watchman.look(link) is not None for link in links]
    assert not any(one and other for one, other in pairwise(told))
