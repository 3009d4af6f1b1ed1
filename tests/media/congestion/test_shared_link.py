# SPDX-License-Identifier: Apache-2.0
"""Estimate and allocation together: which layers of three people a simulated link ends up with."""

from __future__ import annotations

import itertools

import pytest

from server.media.congestion.acknowledged import HEADERS
from server.media.congestion.allocation import Choice, Offered, Wanted, allocate
from server.ports import PauseReason
from tests.media.congestion import simulation
from tests.media.congestion.simulation import Scenario, World

LAYERS = (Offered(92_000, 135), Offered(255_000, 270), Offered(940_000, 540))
PEOPLE = 3
STEPS_A_SECOND = 1 / 0.017
PAUSED = PauseReason.BANDWIDTH


class Share:
    """The pictures of three people in large tiles, chosen anew whenever something is sent."""

    def __init__(self) -> None:
        self.choices: tuple[Choice, ...] = (PAUSED,) * PEOPLE
        self.log: list[tuple[Choice, ...]] = []

    def __call__(self, available_bps: float) -> float:
        """Bits per second of what is chosen."""
        wanted = [Wanted(LAYERS, 540, rank) for rank in range(PEOPLE)]
        self.choices = allocate(available_bps, wanted, self.choices).choices
        self.log.append(self.choices)
        return sum(LAYERS[choice].bitrate_bps for choice in self.choices if isinstance(choice, int))

    def settled(self) -> tuple[int, ...]:
        """What most of the second half showed: layers by index, -1 for paused."""
        half = self.log[len(self.log) // 2 :]
        most = max(set(half), key=half.count)
        return tuple(choice if isinstance(choice, int) else -1 for choice in most)

    def switches(self, start_s: float) -> int:
        """How often something changed after this time."""
        late = self.log[int(start_s * STEPS_A_SECOND) :]
        return sum(one != other for one, other in itertools.pairwise(late))


@pytest.mark.parametrize("round_trip_ms", [50, 100, 400])
@pytest.mark.parametrize(
    ("rate_bps", "least"),
    [
        (64_000, (-1, -1, -1)),
        (100_000, (-1, -1, -1)),
        (200_000, (0, -1, -1)),
        (300_000, (0, 0, -1)),
        (600_000, (0, 0, 0)),
        (1_000_000, (1, 1, 0)),
        (2_000_000, (2, 1, 1)),
        (5_000_000, (2, 2, 2)),
    ],
)
def test_layers_of_three_people(
    rate_bps: int, least: tuple[int, ...], round_trip_ms: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nearly what fits is chosen, it stays, and the voice that is sent all the time comes through."""
    monkeypatch.setattr(simulation, "VOICE_BYTES", 144 - HEADERS)
    share = Share()
    demand = PEOPLE * LAYERS[-1].bitrate_bps + 60_000
    world = World(Scenario(lambda _: rate_bps, rtt_ms=round_trip_ms, queue_ms=200, demand_bps=demand), offer=share)
    outcome = world.run()
    assert all(got >= wanted for got, wanted in zip(share.settled(), least, strict=True)), share.settled()
    assert share.switches(12) <= 3
    assert outcome.voice_came / outcome.voice_sent > 0.96
    if rate_bps > 64_000:
        # The voice alone takes nine tenths of 64 kbit/s: what queued up there when all began drains slowly.
        assert outcome.queue_percentile(0.8, 12, 40) < 60
