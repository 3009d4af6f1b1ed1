# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from server.media.congestion.acknowledged import HEADERS, Batch
from server.media.congestion.feedback import TICK_NS
from server.media.congestion.history import SendHistory
from server.media.congestion.probe import FIRST_WAIT_NS, LONGEST_WAIT_NS, Prober, Result

MS = 1_000_000
RTT_NS = 50 * MS


class Link:
    """Sends what a probe asks for over a link of `rate_bps`, and tells the prober when it came."""

    def __init__(self, rate_bps: float) -> None:
        self.rate_bps = rate_bps
        self.history = SendHistory()
        self.prober = Prober(self.history)
        self.now_ns = 10_000 * MS
        self.sent_bytes = 0

    def probe(self, goal_bps: float, known_bps: float = 0.0) -> Result | None:
        """A whole probe, from its beginning to its result."""
        assert self.prober.begin(goal_bps, self.now_ns)
        free_ns = self.now_ns
        numbers: list[int] = []
        sent: list[int] = []
        ticks: list[int] = []
        while self.prober.sending:
            due = self.prober.due(self.now_ns)
            while due > 0:
                number = self.history.next()
                self.history.sent(number, 300, self.now_ns)
                self.prober.spent(300)
                self.sent_bytes += 300
                free_ns = max(free_ns, self.now_ns) + int((300 + HEADERS) * 8e9 / self.rate_bps)
                numbers.append(number)
                sent.append(self.now_ns)
                ticks.append(free_ns // TICK_NS)
                due -= 300
            self.now_ns += 10 * MS
        batch = Batch(numbers, sent, [300] * len(sent), ticks)
        return self.prober.observe(batch, self.now_ns, RTT_NS, known_bps)


def test_free_link_carries_the_goal() -> None:
    """All of it comes, and the next probe may follow soon."""
    link = Link(50e6)
    result = link.probe(1e6)
    assert result is not None
    assert result.clean
    assert 0.85e6 < result.rate_bps < 1.2e6
    assert link.prober.not_before_ns <= link.now_ns + RTT_NS


def test_full_link_tells_its_rate() -> None:
    """Asked for twice what it carries, a link shows what it carries."""
    link = Link(600_000)
    result = link.probe(1.2e6)
    assert result is not None
    assert not result.clean
    assert 0.85 * 600_000 < result.rate_bps < 1.1 * 600_000


def test_waits_grow_while_nothing_new_is_found() -> None:
    """Each probe in vain doubles the wait, up to a bound; a success ends that."""
    link = Link(600_000)
    waits = []
    for _ in range(6):
        link.probe(1.2e6, known_bps=600_000)
        waits.append(link.prober.not_before_ns - link.now_ns)
        assert not link.prober.begin(1.2e6, link.now_ns)
        link.now_ns = link.prober.not_before_ns
        link.prober.credit = 1e6
    assert waits == sorted(waits)
    assert waits[0] == FIRST_WAIT_NS
    assert waits[-1] == LONGEST_WAIT_NS
    link.rate_bps = 50e6
    link.probe(1.2e6, known_bps=600_000)
    link.now_ns = link.prober.not_before_ns
    link.rate_bps = 600_000
    link.prober.credit = 1e6
    link.probe(1.2e6, known_bps=1.2e6)
    assert link.prober.not_before_ns - link.now_ns == FIRST_WAIT_NS


def test_credit_bounds_padding() -> None:
    """Without credit nothing begins; it grows with the rate in use."""
    link = Link(50e6)
    link.prober.credit = 0.0
    assert not link.prober.begin(1e6, link.now_ns)
    for second in range(100):
        link.prober.earn(1e6, link.now_ns + second * 1000 * MS)
    assert link.prober.begin(1e6, link.now_ns + 100_000 * MS)


def test_media_counts_towards_the_goal() -> None:
    """Padding only fills up what media leaves free."""
    link = Link(50e6)
    assert link.prober.begin(1e6, link.now_ns)
    link.history.sent(link.history.next(), 5_000, link.now_ns)
    assert link.prober.due(link.now_ns + 40 * MS) == 0
    assert link.prober.due(link.now_ns + 80 * MS) == 5_000


def test_aborted_probe_is_still_measured() -> None:
    """When the delay grows no more padding leaves, and what came until then is the result, not a clean one."""
    link = Link(50e6)
    prober = link.prober
    assert prober.begin(2e6, link.now_ns)
    numbers = []
    for step in range(10):
        number = link.history.next()
        numbers.append(number)
        link.history.sent(number, 1_000, link.now_ns + step * 10 * MS)
    prober.abort()
    assert prober.due(link.now_ns + 120 * MS) == 0
    times = [link.now_ns + step * 10 * MS for step in range(10)]
    result = prober.observe(
        Batch(numbers, times, [1_000] * 10, [at // TICK_NS for at in times]), link.now_ns + 150 * MS, RTT_NS, 0.0
    )
    assert result is not None
    assert not result.clean


def test_lost_end_does_not_keep_it_forever() -> None:
    """If feedback about the last packets never comes, the probe ends after a while."""
    link = Link(50e6)
    assert link.prober.begin(1e6, link.now_ns)
    link.history.sent(link.history.next(), 1_000, link.now_ns)
    assert link.prober.due(link.now_ns + 10_000 * MS) == 0
    assert link.prober.observe(None, link.now_ns + 10_000 * MS, RTT_NS, 0.0) is None
    assert not link.prober.active
