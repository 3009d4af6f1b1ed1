# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from bench.machine import two_cores
from bench.media.run import Plan
from bench.media.search import Pace
from bench.media.workshop import SLOTS, TILES, VOICES, breakout_fans, packets_per_s, plenary_fans, workshop
from server.media.slots import FEWEST_PICTURES, PICTURES_PER_PLACEMENT, VOICES_PER_PLACEMENT
from server.ports import MAX_VOICES, MediaPath


def test_the_budget_is_that_of_the_server() -> None:
    """Three hundred people get as many voices and pictures as the server allows each of them."""
    assert (VOICES, TILES) == (MAX_VOICES, FEWEST_PICTURES)
    fans = plenary_fans(300)
    assert sum(fan.voice for fan in fans) == 3 * 299 < VOICES_PER_PLACEMENT
    assert sum(fan.camera for fan in fans) == 5 * 300 <= PICTURES_PER_PLACEMENT
    assert packets_per_s(fans) == 50 * 3 * 299 + 15 * (4 * 299 + 5) + 60 * 299


def test_in_breakouts_everybody_gets_their_room() -> None:
    """Also when the rooms are not of one size; a room has slots for all others."""
    for people, rooms in ((300, 25), (50, 4)):
        fans = breakout_fans(people, rooms)
        sizes = [len(range(room, people, rooms)) for room in range(rooms)]
        assert sum(fan.camera for fan in fans) == sum(size * (size - 1) for size in sizes)
        assert max(sizes) - 1 <= SLOTS


@pytest.mark.alone
@pytest.mark.slow
async def test_a_small_workshop_gets_exactly_its_budget() -> None:
    """Real handshakes, a plenary, breakouts and a plenary again: every packet that is due comes, and no other."""
    plan = Plan("127.0.0.1", two_cores(), Pace(seconds=3.0))
    report = await workshop(MediaPath.PURE, plan, 24, print)
    for row, due in zip(
        report.rows, (report.budget_plenary, report.budget_breakouts, report.budget_plenary), strict=True
    ):
        assert abs(row.loss) < 0.02
        assert 0.9 < row.received / row.seconds / due < 1.1
        assert row.tally.refused == 0
