# SPDX-License-Identifier: Apache-2.0
"""Seeds: whatever goes wrong, the invariants hold; and the same seed is the same run, everywhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final
from unittest import mock

import pytest

from tests.simulation.many import outcomes
from tests.simulation.mutants import BY_NAME, hunt
from tests.simulation.node import Machine
from tests.simulation.simulation import simulate
from tests.simulation.stage import ROOMS

ROOT: Final = Path(__file__).parents[2]
QUICK: Final = 200
ALL: Final = 10_000


def replayed(seed: int, hash_seed: str) -> str:
    """The trace of a seed, from a process of its own."""
    command = (sys.executable, "-m", "tests.simulation", str(seed))
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    return subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True).stdout


def failures(first: int, last: int) -> dict[int, tuple[str, ...]]:
    """What was broken, by seed."""
    return {outcome.seed: outcome.violations[:5] for outcome in outcomes(range(first, last)) if outcome.violations}


def test_a_seed_replays_exactly() -> None:
    """Two processes that hash differently go through the very same run, line by line."""
    one, other = replayed(4, "1"), replayed(4, "2")
    assert one.count("\n") > 500
    assert one == other


def test_rooms_that_nobody_ever_entered_prove_nothing() -> None:
    """A run in which no node comes up is told as a failure, not as one in which nothing went wrong."""

    async def never(_machine: Machine) -> None:
        """Such a process does nothing at all."""

    with mock.patch.object(Machine, "_main", never):
        assert set(simulate(0).violations) == {f"{room}: nobody ever came" for room in ROOMS}


@pytest.mark.timeout(600)
def test_nothing_is_broken() -> None:
    """Nodes, Redis and connections fail by seed; nobody is lost, nothing happens twice or in two places."""
    assert failures(0, QUICK) == {}


@pytest.mark.slow
@pytest.mark.timeout(14_400)
def test_nothing_is_broken_in_many_runs() -> None:
    """The same, with many more seeds."""
    assert failures(QUICK, ALL) == {}


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", BY_NAME)
def test_a_safeguard_taken_out_is_noticed(name: str) -> None:
    """Each of them is needed: without it a seed fails."""
    seeds, outcome = hunt(name)
    assert outcome is not None, f"{name} survived {seeds} seeds"
    print(f"{name}: {seeds} seeds, {outcome.violations[0]}")
