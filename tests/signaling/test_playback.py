# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from server.signaling.messages import Playback
from server.signaling.playback import MOST_FREEZES, MOST_MS, since


def told(freezes: int, frozen_ms: int, concealed_ms: int, played_ms: int) -> Playback:
    """A report."""
    return Playback(freezes=freezes, frozen_ms=frozen_ms, concealed_ms=concealed_ms, played_ms=played_ms)


@pytest.mark.parametrize(
    ("before", "now", "new"),
    [
        (None, told(1, 200, 30, 9_000), told(1, 200, 30, 9_000)),
        (told(1, 200, 30, 9_000), told(3, 500, 30, 19_000), told(2, 300, 0, 10_000)),
        (told(5, 900, 90, 90_000), told(0, 0, 10, 1_000), told(0, 0, 10, 1_000)),
        (None, told(10**12, 10**12, 10**12, 10**12), told(MOST_FREEZES, MOST_MS, MOST_MS, MOST_MS)),
        (told(2, 0, 50, 1_000), told(1, 0, 40, 2_000), told(0, 0, 0, 1_000)),
    ],
    ids=["first", "more", "anew", "a lie", "backwards"],
)
def test_the_difference_is_counted(before: Playback | None, now: Playback, new: Playback) -> None:
    """Of the totals of a page; never less than nothing, and never more than a page can have seen."""
    assert since(before, now) == new
