# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from loadtest.impairment.profile import NAMED, PERFECT, BadSetting, Bursts, Link, Profile, adjusted, blackout


def test_settings_change_one_direction_or_both() -> None:
    """A name gives the start, every further word one figure of it."""
    link = adjusted(PERFECT, "lte down.rate_bps=200000 both.loss=0.05")
    assert link.down.rate_bps == 200_000
    assert link.up.rate_bps == NAMED["lte"].up.rate_bps
    assert (link.up.loss, link.down.loss) == (0.05, 0.05)


def test_settings_may_have_structure() -> None:
    """Bursts are written as JSON."""
    assert adjusted(PERFECT, 'up.bursts={"enter":0.1,"leave":0.5}') == Link(up=Profile(bursts=Bursts(0.1, 0.5)))


@pytest.mark.parametrize("setting", ["moon", "loss=1", "up.los=1", "up.loss=much", 'up.loss="0.1"', "side.loss=1"])
def test_wrong_settings_are_refused(setting: str) -> None:
    """With a word about what was wrong."""
    with pytest.raises(BadSetting, match=r"not a link|Expected|malformed|invalid"):
        adjusted(PERFECT, setting)


def test_a_blackout_keeps_the_rest() -> None:
    """What comes after it is the link from before."""
    dark = blackout(NAMED["dsl"])
    assert (dark.up.loss, dark.down.loss) == (1.0, 1.0)
    assert dark.down.delay_ms == NAMED["dsl"].down.delay_ms
