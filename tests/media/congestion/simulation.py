# SPDX-License-Identifier: Apache-2.0
"""A deterministic bottleneck: rate, drop-tail queue, delay, random loss, jitter and a competing flow; steps of 1 ms."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from server.media.congestion.acknowledged import HEADERS
from server.media.congestion.arrivals import Arrivals
from server.media.congestion.estimator import Estimator
from server.media.congestion.history import SendHistory

MS: Final = 1_000_000
STEP_S: Final = 0.001
MTU: Final = 1_100
VOICE_BYTES: Final = 100


@dataclass(frozen=True)
class Scenario:
    """One link and what is asked of it. `rate` gives bits per second at a time in seconds."""

    rate: Callable[[float], float]
    rtt_ms: int = 50
    loss: float = 0.0
    jitter_ms: float = 0.0
    queue_ms: float = 300.0
    demand_bps: float = 10_000_000
    rivals: int = 0
    stalls_ms: int = 0
    """The subscriber's processor sleeps up to this long, about half of the time, and then reads all that waits."""
    seconds: int = 40
    seed: int = 1


@dataclass
class Outcome:
    """What happened, one entry per 100 ms."""

    delivered: list[float] = field(default_factory=list)
    queue_ms: list[float] = field(default_factory=list)
    target: list[float] = field(default_factory=list)
    capacity: list[float] = field(default_factory=list)
    padding_bytes: int = 0
    voice_sent: int = 0
    voice_came: int = 0
    rival_bytes: int = 0

    def utilisation(self, start_s: float, end_s: float) -> float:
        """Share of the capacity that our packets used."""
        window = slice(int(start_s * 10), int(end_s * 10))
        return sum(self.delivered[window]) / sum(self.capacity[window])

    def queue_percentile(self, share: float, start_s: float, end_s: float) -> float:
        """Queueing delay in milliseconds that this share of the samples stays below."""
        samples = sorted(self.queue_ms[int(start_s * 10) : int(end_s * 10)])
        return samples[int(share * (len(samples) - 1))]


@dataclass
class _Flying:
    owner: Rival | None
    size: int
    number: int = 0
    voice: bool = False


class Rival:
    """A greedy sender with a window that halves on loss (Reno without its details)."""

    def __init__(self) -> None:
        self.window = 4.0
        self.flying = 0
        self.slow_start = True
        self.recovery_ms = 0
        self.answers: deque[tuple[int, bool]] = deque()

    def acknowledged(self, now_ms: int, rtt_ms: int) -> None:
        """Answers that are due move the window."""
        while self.answers and self.answers[0][0] <= now_ms:
            _, came = self.answers.popleft()
            self.flying -= 1
            if came:
                self.window += 1.0 if self.slow_start else 1.0 / self.window
            elif now_ms >= self.recovery_ms:
                self.window = max(2.0, self.window / 2)
                self.slow_start = False
                self.recovery_ms = now_ms + rtt_ms


class World:
    """Our sender, the link, the subscriber that gives feedback each 100 ms."""

    def __init__(self, scenario: Scenario, offer: Callable[[float], float] | None = None) -> None:
        self.scenario = scenario
        self.offer = offer
        """The media rate for a target; all of it, up to the demand, if there is none."""
        self.outcome = Outcome()
        self.history = SendHistory(first=65_000)
        self.estimator = Estimator(self.history)
        self.arrivals = Arrivals()
        self.random = random.Random(scenario.seed)
        self.queue: deque[_Flying] = deque()
        self.backlog = 0.0
        self.arriving: list[tuple[int, int, _Flying]] = []
        self.feedback: deque[tuple[int, bytes]] = deque()
        self.rivals = [Rival() for _ in range(scenario.rivals)]
        self.credit = 0.0
        self.debt = 0.0
        self.came = 0
        self.asleep = (0, 0)

    def run(self) -> Outcome:
        """The whole time."""
        for now_ms in range(self.scenario.seconds * 1000):
            self._send(now_ms)
            self._carry(now_ms)
            self._answer(now_ms)
            if now_ms % 100 == 99:
                self._note(now_ms)
        return self.outcome

    def _send(self, now_ms: int) -> None:
        estimator, now_ns = self.estimator, now_ms * MS
        if now_ms % 100 == 0:
            estimator.want(self.scenario.demand_bps)
            estimator.tick(now_ns)
        if now_ms % 20 == 0:
            self._put(now_ms, VOICE_BYTES, voice=True)
        self._media(now_ms)
        if now_ms % 10 == 0:
            due = estimator.padding(now_ns)
            while due > 0:
                size = min(due, MTU) if due > 200 else 200
                self._put(now_ms, size)
                estimator.prober.spent(size)
                self.outcome.padding_bytes += size
                due -= size
        for rival in self.rivals:
            while rival.flying < rival.window:
                rival.flying += 1
                self._enqueue(now_ms, _Flying(rival, 1_400))

    def _media(self, now_ms: int) -> None:
        """Four pictures of 15 frames a second each, in bursts of uneven size."""
        if now_ms % 17:
            return
        target = self.estimator.target_bps - (VOICE_BYTES + HEADERS) * 8 * 50
        rate = min(self.scenario.demand_bps, target) if self.offer is None else self.offer(target)
        self.debt += max(0.0, rate) / 8 * 0.017 * self.random.uniform(0.6, 1.4)
        while self.debt > 150:
            size = int(min(MTU, self.debt))
            self._put(now_ms, size)
            self.debt -= size + HEADERS

    def _put(self, now_ms: int, size: int, *, voice: bool = False) -> None:
        number = self.history.next()
        self.history.sent(number, size, now_ms * MS)
        self.outcome.voice_sent += voice
        self._enqueue(now_ms, _Flying(None, size + HEADERS, number, voice))

    def _enqueue(self, now_ms: int, packet: _Flying) -> None:
        limit = max(6_000.0, self.scenario.rate(now_ms / 1000) / 8 * self.scenario.queue_ms / 1000)
        if self.backlog + packet.size > limit:
            self._lose(now_ms, packet)
            return
        self.backlog += packet.size
        self.queue.append(packet)

    def _lose(self, now_ms: int, packet: _Flying) -> None:
        if packet.owner is not None:
            packet.owner.answers.append((now_ms + self.scenario.rtt_ms, False))

    def _carry(self, now_ms: int) -> None:
        scenario = self.scenario
        self.credit = min(self.credit, MTU * 1.5) + scenario.rate(now_ms / 1000) / 8 * STEP_S
        if not self.queue:
            self.credit = min(self.credit, 1_500.0)
        while self.queue and self.credit >= self.queue[0].size:
            packet = self.queue.popleft()
            self.credit -= packet.size
            self.backlog -= packet.size
            if scenario.loss and self.random.random() < scenario.loss:
                self._lose(now_ms, packet)
                continue
            jitter = abs(self.random.gauss(0, scenario.jitter_ms)) if scenario.jitter_ms else 0.0
            at_ns = now_ms * MS + scenario.rtt_ms * MS // 2 + int(jitter * MS)
            if packet.owner is not None:
                packet.owner.answers.append((now_ms + scenario.rtt_ms, True))
                self.outcome.rival_bytes += packet.size
            else:
                self._receive(at_ns, packet)

    def _receive(self, at_ns: int, packet: _Flying) -> None:
        if self.scenario.stalls_ms:
            at_ns = self._awake(at_ns)
        # Feedback is built by the time of the link's end: what is still on its way there is told in the next one.
        self.came += packet.size
        self.outcome.voice_came += packet.voice
        self.arrivals.record(packet.number & 0xFFFF, at_ns)

    def _awake(self, at_ns: int) -> int:
        """When somebody reads what comes at this time."""
        while self.asleep[1] <= at_ns:
            begins = self.asleep[1] + self.random.randrange(10, self.scenario.stalls_ms) * MS
            self.asleep = begins, begins + self.random.randrange(10, self.scenario.stalls_ms) * MS
        begins, ends = self.asleep
        return ends if begins <= at_ns else at_ns

    def _answer(self, now_ms: int) -> None:
        if now_ms % 100 == 50:
            # Half a round trip to arrive, half a round trip back.
            due = now_ms + self.scenario.rtt_ms
            self.feedback.extend((due, message) for message in self.arrivals.feedback(1, 2))
        while self.feedback and self.feedback[0][0] <= now_ms:
            _, message = self.feedback.popleft()
            if self.random.random() >= self.scenario.loss:
                self.estimator.feedback(message, now_ms * MS)
        for rival in self.rivals:
            rival.acknowledged(now_ms, self.scenario.rtt_ms)

    def _note(self, now_ms: int) -> None:
        rate = self.scenario.rate(now_ms / 1000)
        outcome = self.outcome
        outcome.delivered.append(self.came * 80.0)
        outcome.capacity.append(min(rate, self.scenario.demand_bps))
        outcome.queue_ms.append(self.backlog * 8 / rate * 1000)
        outcome.target.append(self.estimator.target_bps)
        self.came = 0
