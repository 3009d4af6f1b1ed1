# SPDX-License-Identifier: Apache-2.0
"""What the estimator says of traffic that was recorded over real sockets and the impairment rig (see `record.py`)."""

from __future__ import annotations

from statistics import mean

import pytest

from server.media.congestion.estimator import Estimator
from server.media.congestion.history import SendHistory
from tests.media.congestion.trace import FOLDER, Target, read, replay
from tests.media.paths import compiled_path

NAMES = sorted(path.stem for path in FOLDER.glob("*.txt"))
SETTLED_S = 6.0


def heard(name: str) -> list[Target]:
    """The targets at all ticks."""
    history = SendHistory()
    return list(replay(read(name), Estimator(history), history))


def later(targets: list[Target], start_s: float, end_s: float = 1e9) -> list[float]:
    """Targets as shares of what would have been right, in this time."""
    return [target.share for target in targets if start_s <= target.at_s < end_s]


@pytest.mark.parametrize(("name", "least"), [("steady", 0.8), ("jittery", 0.7), ("rural-3g", 0.5)])
def test_a_link_is_used_and_not_flooded(name: str, least: float) -> None:
    """Of what it bears most is used, and more only for a moment; jitter, reordering and bursts of loss are no queue."""
    shares = later(heard(name), SETTLED_S)
    assert mean(shares) >= least
    assert mean(share > 1.05 for share in shares) < 0.1


@pytest.mark.parametrize("name", ["lossy", "far-lossy"])
def test_loss_that_is_always_there_is_no_congestion(name: str) -> None:
    """5 % each way, near and far: there is room for the pictures, and they are sent."""
    assert mean(later(heard(name), SETTLED_S)) >= 0.8


def test_a_drop_is_followed_within_two_seconds() -> None:
    """From 2 Mbit/s to 400 kbit/s: what stood in the queue drains, and the rest of the link is used."""
    targets = heard("drop")
    assert mean(later(targets, SETTLED_S, 8.0)) >= 0.7
    assert max(later(targets, 10.5)) < 1.1
    assert mean(later(targets, 12.0)) >= 0.6


@pytest.mark.parametrize("name", NAMES)
def test_compiled_code_reads_the_same_from_it(name: str) -> None:
    """To the last bit."""
    path = compiled_path()
    history = path.history()
    assert list(replay(read(name), path.estimator(history), history)) == heard(name)
