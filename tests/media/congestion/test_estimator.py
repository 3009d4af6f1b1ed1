# SPDX-License-Identifier: Apache-2.0
"""The estimator on simulated links: how much of each it uses, and how long a queue it leaves there."""

from __future__ import annotations

import random

import pytest

from server.media.congestion.arrivals import Arrivals
from server.media.congestion.delay import Usage
from server.media.congestion.estimator import CEILING_BPS, FLOOR_BPS, START_BPS, Estimator
from server.media.congestion.history import SendHistory
from tests.media.congestion.simulation import MS, Scenario, World


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("rtt_ms", [50, 200, 400])
@pytest.mark.parametrize("rate_bps", [100_000, 300_000, 1_000_000, 5_000_000])
def test_steady_link(rate_bps: int, rtt_ms: int, seed: int) -> None:
    """A link of any rate and delay is used well, and its queue stays short most of the time."""
    outcome = World(Scenario(lambda _: rate_bps, rtt_ms=rtt_ms, seed=seed)).run()
    assert outcome.utilisation(5, 40) > 0.75
    assert outcome.queue_percentile(0.5, 5, 40) < 40
    assert outcome.queue_percentile(0.9, 5, 40) < (400 if rate_bps == 100_000 else 120)
    assert outcome.padding_bytes * 8 < 0.15 * rate_bps * 40 + 400_000


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("loss", [0.02, 0.05, 0.1])
@pytest.mark.parametrize("rate_bps", [300_000, 1_000_000, 5_000_000])
def test_random_loss(rate_bps: int, loss: float, seed: int) -> None:
    """A radio that loses packets at any rate is not taken for a full link."""
    outcome = World(Scenario(lambda _: rate_bps, rtt_ms=100, loss=loss, seed=seed)).run()
    assert outcome.utilisation(10, 40) > 0.55 * (1 - loss)
    assert outcome.queue_percentile(0.9, 10, 40) < 220


def test_jitter() -> None:
    """Noise in the delay is not taken for a queue."""
    outcome = World(Scenario(lambda _: 2e6, jitter_ms=8)).run()
    assert outcome.utilisation(5, 40) > 0.7


@pytest.mark.parametrize("queue_ms", [50, 300, 2_000])
def test_depth_of_the_queue(queue_ms: int) -> None:
    """Neither a shallow queue nor a deep one changes what is reached."""
    outcome = World(Scenario(lambda _: 1e6, rtt_ms=80, queue_ms=queue_ms)).run()
    assert outcome.utilisation(5, 40) > 0.75
    assert outcome.queue_percentile(0.9, 5, 40) < 120


@pytest.mark.parametrize("rtt_ms", [50, 400])
def test_sudden_drop(rtt_ms: int) -> None:
    """When a link falls to a quarter its queue is empty again after some seconds; what comes back is found."""
    outcome = World(Scenario(lambda s: 5e5 if 15 < s < 30 else 2e6, rtt_ms=rtt_ms, seconds=60)).run()
    assert outcome.queue_percentile(0.9, 18.5, 30) < 150
    assert outcome.utilisation(18, 30) > 0.6
    assert outcome.utilisation(48, 60) > 0.7


@pytest.mark.parametrize(("rivals", "rate_bps"), [(1, 2e6), (3, 4e6)])
def test_greedy_flow(rivals: int, rate_bps: float) -> None:
    """Beside flows that fill every queue a fair part is kept, and they are not starved."""
    outcome = World(Scenario(lambda _: rate_bps, rivals=rivals, queue_ms=200, seconds=60)).run()
    fair = 1 / (1 + rivals)
    assert 0.4 * fair < outcome.utilisation(10, 60) < min(0.85, 2.5 * fair)
    assert outcome.rival_bytes * 8 / 60 > 0.2 * rate_bps


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("stalls_ms", [100, 300, 500])
def test_stalls(stalls_ms: int, seed: int) -> None:
    """A processor that sleeps now and then is not a thin link: what was sent before goes on being sent."""
    scenario = Scenario(lambda _: 50e6, demand_bps=900_000, stalls_ms=stalls_ms, seconds=60, seed=seed)
    outcome = World(scenario).run()
    assert min(outcome.target[20:]) > 700_000


def test_little_to_send() -> None:
    """Nothing to send proves nothing: the estimate neither falls nor grows, and nobody is probed."""
    outcome = World(Scenario(lambda _: 5e6, demand_bps=300_000)).run()
    assert set(outcome.target) == {START_BPS}
    assert outcome.padding_bytes == 0


def test_audio_only_link() -> None:
    """On 64 kbit/s the voice comes through, and the queue it waits in drains."""
    outcome = World(Scenario(lambda _: 64_000, rtt_ms=100, queue_ms=1_000, seconds=60)).run()
    assert outcome.voice_came / outcome.voice_sent > 0.95
    assert outcome.queue_percentile(0.5, 10, 60) < 120


def test_more_demand_is_probed_for() -> None:
    """A forwarder that sends little finds out by padding that the link bears more, within seconds."""
    world = World(Scenario(lambda _: 5e6, demand_bps=3e6, seconds=8), offer=lambda _: 200_000)
    outcome = world.run()
    assert outcome.target[-1] > 2.9e6
    assert outcome.padding_bytes < 900_000


def test_silence_lowers_the_estimate() -> None:
    """When feedback stays away although something is sent, the estimate goes down to one voice."""
    world = World(Scenario(lambda _: 2e6, demand_bps=600_000, seconds=3))
    world.run()
    estimator = world.estimator
    for now_ms in range(3_000, 20_000, 50):
        number = world.history.next()
        world.history.sent(number, 1_000, now_ms * MS)
        estimator.tick(now_ms * MS)
    assert estimator.target_bps == FLOOR_BPS


def test_idle_path_is_not_silence() -> None:
    """No feedback about nothing sent changes nothing."""
    estimator = Estimator(SendHistory())
    for now_ms in range(0, 20_000, 50):
        estimator.tick(now_ms * MS)
    assert estimator.target_bps == START_BPS


@pytest.mark.parametrize("rate", [0, 5])
@pytest.mark.parametrize("loss", [0.5, 0.0])
def test_stale_evidence_forbids_no_probe(rate: int, loss: float) -> None:
    """With every picture paused next to nothing is sent, and neither loss nor delay is measured: a probe asks anew."""
    link = _Link(loss=loss, queue_ms=0 if loss else 2)
    link.pass_time(2_000, rate=100)
    estimator = link.estimator
    assert estimator.loss > 0.3 or estimator.usage is Usage.OVER
    link.queue_ms, link.loss = 0, 0.0
    estimator.want(CEILING_BPS)
    target = estimator.target_bps
    link.pass_time(20_000, rate=rate)
    assert estimator.target_bps > target


class _Link:
    """A link that loses a share of what is sent, or whose delay grows by `queue_ms` for each 10 ms."""

    def __init__(self, loss: float, queue_ms: int) -> None:
        self.loss = loss
        self.queue_ms = queue_ms
        self.estimator = Estimator(history := SendHistory())
        self._history = history
        self._arrivals = Arrivals()
        self._random = random.Random(1)
        self._delay_ms = 20
        self._now_ms = 1_000

    def pass_time(self, milliseconds: int, *, rate: int) -> None:
        """Send so many packets a second, and the padding of probes."""
        for step in range(1, milliseconds // 10 + 1):
            self._now_ms += 10
            self._delay_ms += self.queue_ms
            now_ns = self._now_ms * MS
            if step % 5 == 0:
                self.estimator.tick(now_ns)
            for _ in range(self.estimator.padding(now_ns) // 1_000):
                self._send(now_ns)
                self.estimator.prober.spent(1_000)
            if rate and step % (100 // rate or 1) == 0:
                self._send(now_ns)
            if step % 10 == 0:
                for message in self._arrivals.feedback(1, 2):
                    self.estimator.feedback(message, now_ns)

    def _send(self, now_ns: int) -> None:
        number = self._history.next()
        self._history.sent(number, 1_000, now_ns)
        if self._random.random() >= self.loss:
            self._arrivals.record(number & 0xFFFF, now_ns + self._delay_ms * MS)
