# SPDX-License-Identifier: Apache-2.0
"""Coincidences that seeds have found once: nobody is lost any more, and without the remedy somebody is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from unittest import mock

import pytest

from server.cluster import scripts
from server.cluster.availability import Availability
from server.cluster.caretaker import Caretaker
from server.rooms import admission
from server.runner.registry import Rooms
from tests.simulation import node, scenarios
from tests.simulation.mutants import Change, edited
from tests.simulation.simulation import Simulation, simulate


def one_history() -> tuple[Change, ...]:
    """An epoch goes on, whatever Redis may have lost of it."""
    return edited(scripts.APPEND, "or room[5] ~= history()", "")


def no_patience() -> tuple[Change, ...]:
    """What this node does not know is over."""
    return ((node, "RESEED_MS", 0),)


def the_last_wins() -> tuple[Change, ...]:
    """An attempt that was overtaken takes the seat."""
    return ((admission, "_was_overtaken", lambda *_: False),)


def no_strangers() -> tuple[Change, ...]:
    """A node that Redis does not know is nobody's business."""
    return ((Caretaker, "_strangers", lambda _caretaker: set()),)


def no_waiting() -> tuple[Change, ...]:
    """The end does not wait for who is on the way."""
    return ((Simulation, "_all_back", lambda _: True),)


async def _keeps(_availability: Availability, _name: str) -> bool:
    return True


def no_doubt() -> tuple[Change, ...]:
    """What the log does not have has never been."""
    catch_up = (Rooms, "log_changed", lambda rooms, _: [runner.catch_up() for runner in rooms.all()])
    return (catch_up, (Availability, "keeps", _keeps))


SEEDS: Final[dict[Callable[..., Any], tuple[Callable[[], tuple[Change, ...]], int, int]]] = {
    scenarios.entries_lost: (one_history, 7, 8),
    scenarios.everybody_elsewhere: (no_patience, 0, 1),
    scenarios.impatient_newcomers: (the_last_wins, 0, 2),
    scenarios.node_and_redis_die: (no_strangers, 0, 1),
    scenarios.node_of_a_listener_dies: (no_waiting, 8, 12),
    scenarios.newcomer_at_a_stranger: (no_doubt, 0, 1),
}
"""What it takes to survive, and seeds for which it does."""


@pytest.mark.parametrize("scenario", SEEDS)
def test_nobody_is_lost_by_a_coincidence(scenario: Callable[..., Any]) -> None:
    """Everybody is back, and all see one history."""
    _, *seeds = SEEDS[scenario]
    assert [simulate(seed, scenario).violations for seed in seeds] == [()] * len(seeds)


@pytest.mark.parametrize("scenario", SEEDS)
def test_a_coincidence_needs_its_remedy(scenario: Callable[..., Any]) -> None:
    """Each of these seeds fails without it."""
    mutant, *seeds = SEEDS[scenario]
    changes = [mock.patch.object(*change) for change in mutant()]
    for change in changes:
        change.start()
    try:
        assert all(simulate(seed, scenario).violations for seed in seeds)
    finally:
        for change in changes:
            change.stop()
