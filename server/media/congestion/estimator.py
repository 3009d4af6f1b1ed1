# SPDX-License-Identifier: Apache-2.0
"""What a subscriber's link bears, from transport-wide feedback: delay, loss, and probes that justify going up.

Increase and decrease follow draft-ietf-rmcat-gcc-02 section 5.5. A forwarder sends less than the link bears most of
the time: without evidence the estimate neither grows (only what was delivered counts) nor falls (a cut asks for a
queue that stands).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from server.media.congestion.acknowledged import Acknowledger, AcknowledgerPort, Batch
from server.media.congestion.delay import DelayDetector, Trend, TrendPort, Usage
from server.media.congestion.history import SendHistory
from server.media.congestion.loss import STALE_NS, LossBound
from server.media.congestion.probe import THIN_BPS, Prober
from server.media.congestion.rates import RECENT_NS, SHORT_NS, Rates
from server.media.congestion.trains import Trains, TrainsPort

START_BPS: Final = 1_100_000
"""Enough for small pictures of a dozen; a link that bears less says so within some hundred milliseconds."""

FLOOR_BPS: Final = 32_000
"""One voice: nothing is gained by an estimate below it."""

CEILING_BPS: Final = 20_000_000
BACKOFF: Final = 0.85
DEEP_BACKOFF: Final = 0.6
GROWTH: Final = 0.08
CAREFUL_GROWTH: Final = 0.03
SHARED_GROWTH: Final = 0.12
"""Shares per second: far from, and close to the rate at which the link was full, and beside a greedy flow."""

HEADROOM: Final = 1.2
"""The estimate may exceed what was delivered by this factor, and not grow further without a probe."""

SHARED_HEADROOM: Final = 2.0
STEP_NS: Final = 90_000_000
SILENCE_NS: Final = 1_200_000_000
PROBE_STEP: Final = 2.0
CAREFUL_STEP: Final = 1.4
"""A probe doubles the estimate, but goes only so far above a rate at which the link was full."""

PROBE_MARGIN: Final = 1.15
PROBE_TRUST: Final = 0.95
FULL_TRUST: Final = 0.92
"""Shares of what came through in a probe that are taken over: all of it came, or the link was full."""

PROVEN_NS: Final = 4_000_000_000
PROVEN_TRUST: Final = 0.7
"""For so long what a train proved holds: delay alone takes the estimate no further down than this share of it."""

_UNANSWERED_BYTES: Final = 1_500
_PATIENCE: Final = 3
_RECENT_NS: Final = 4_000_000_000
_SHARED_NS: Final = 20_000_000_000
_SHARED_CUT_NS: Final = 500_000_000
_SHARED_QUEUE_MS: Final = 150.0
_DRAINED_MS: Final = 25.0
_LONG_MS: Final = 60.0
_RESPONSE_NS: Final = 100_000_000
_START_RTT_NS: Final = 150_000_000
NS: Final = 1_000_000_000


class Estimator:
    """One per peer. `target_bps` is all that should leave: voices, pictures, repeats and padding."""

    __slots__ = (
        "_acknowledger", "_at_ns", "_cut_ns", "_delay", "_fed_ns", "_full_bps", "_futile", "_history", "_idle_bytes",
        "_last_cut", "_loss", "_make_trains", "_make_trend", "_proven", "_rates", "_restore_bps", "_shared_until_ns",
        "_stalled_bps", "_trains", "_wanted_bps", "prober", "rtt_ns", "target_bps", "usage",
    )  # fmt: skip

    def __init__(
        self,
        history: SendHistory,
        acknowledger: AcknowledgerPort | None = None,
        trend: Callable[[], TrendPort] = Trend,
        trains: Callable[[], TrainsPort] = Trains,
        start_bps: float = START_BPS,
    ) -> None:
        self._history = history
        self._acknowledger = acknowledger if acknowledger is not None else Acknowledger(history)
        self._make_trend = trend
        self._make_trains = trains
        self._delay = DelayDetector(trend())
        self._rates = Rates()
        self._trains = self._make_trains()
        self._proven = (0, 0.0)
        self._stalled_bps = 0.0
        self._loss = LossBound()
        self.prober = Prober(history)
        self.target_bps = float(start_bps)
        self.rtt_ns = _START_RTT_NS
        """Until feedback comes: the way there, back, and the wait between messages."""
        self.usage = Usage.NORMAL
        self._wanted_bps = 0.0
        self._full_bps: float | None = None
        self._at_ns = 0
        self._cut_ns = 0
        self._last_cut = (0, 0.0, 0.0)
        self._shared_until_ns = 0
        self._fed_ns: int | None = None
        self._idle_bytes = 0
        self._futile = 0
        self._restore_bps = 0.0

    @property
    def fed_ns(self) -> int:
        """When the last feedback came, 0 for never."""
        return self._fed_ns or 0

    @property
    def unanswered_bytes(self) -> int:
        """Sent since the last feedback."""
        return self._history.total_bytes - self._idle_bytes

    @property
    def queue_ms(self) -> float:
        """The queue that stands on the way."""
        return self._delay.queue_ms

    @property
    def inherent_loss(self) -> float:
        """What the link loses at any rate."""
        return self._loss.inherent

    @property
    def loss(self) -> float:
        """The share lost lately, for whatever reason."""
        return self._rates.loss(0)[0]

    @property
    def delivered_bps(self) -> float:
        """What came through in the last second."""
        return self._rates.delivered_bps()

    def want(self, bits_per_second: float) -> None:
        """What the pictures in demand would take altogether: as far as this, probing makes sense."""
        self._wanted_bps = bits_per_second

    def moved(self) -> None:
        """Another path: nothing of the former one holds but that a cautious start is wise."""
        self._delay = DelayDetector(self._make_trend())
        self._rates = Rates()
        self._trains = self._make_trains()
        self._proven = (0, 0.0)
        self._stalled_bps = 0.0
        self._loss = LossBound()
        self.prober.cancel()
        self.usage = Usage.NORMAL
        self._full_bps = None
        self._futile = 0
        self._shared_until_ns = 0
        self._set(min(self.target_bps, START_BPS))

    def feedback(self, message: bytes, now_ns: int) -> None:
        """Take in one RTCP packet with its header. Raises MalformedFeedback."""
        batch = self._acknowledger.read(message)
        if batch is None:
            return
        if not batch.judged:
            self._rates.correct(batch)
            return
        self._fed_ns, self._idle_bytes = now_ns, self._history.total_bytes
        if not len(batch.sent):
            return
        self._measure_rtt(now_ns - batch.sent[-1])
        self._rates.add(batch)
        self._prove(self._trains.add(batch), now_ns)
        self.usage = self._delay.add(batch)
        if self.prober.sending and self.queue_ms > _DRAINED_MS:
            self.prober.abort()
        if now_ns < self._shared_until_ns:
            self._compete(batch, now_ns)
        elif self.usage is Usage.OVER:
            self._over(now_ns)
        if now_ns - self._at_ns >= STEP_NS:
            self._step(batch.sent[-1], now_ns)
        self._probed(batch, now_ns)

    def _step(self, sent_ns: int, now_ns: int) -> None:
        """What need not follow every message: growth, and the judgement about loss."""
        if self.prober.active or self.queue_ms > _DRAINED_MS:
            # A full queue explains its losses.
            self._loss.forgive(sent_ns)
        else:
            before = self.target_bps
            self._set(self._loss.judge(self._rates, sent_ns, self.rtt_ns, before))
            if self.target_bps < before:
                # What the link carried before it lost so much is no goal any more.
                self._full_bps = None
        if now_ns < self._shared_until_ns:
            # No probes here: this must reach the next larger layer.
            self._creep(SHARED_GROWTH, SHARED_HEADROOM, now_ns)
        elif not self.prober.active and self.usage is Usage.NORMAL and self.queue_ms <= _DRAINED_MS:
            self._grow(now_ns)
        self._at_ns = now_ns

    def padding(self, now_ns: int) -> int:
        """Bytes of padding to send now; call every 10 ms while `prober.sending`, else with each tick."""
        prober = self.prober
        if not prober.active and self._fed_ns is not None and self._wanted_bps > self.target_bps:
            self._loss.forget(now_ns)
            # With everything paused nothing comes back: what the delay was then must not forbid to ask for ever.
            stale = now_ns - self._fed_ns > STALE_NS
            drained = self.usage is not Usage.OVER and self.queue_ms < _DRAINED_MS
            calm = (stale or drained) and now_ns > self._shared_until_ns and self._loss.clean
            if calm and not self._unanswered(now_ns):
                prober.begin(min(self._wanted_bps * PROBE_MARGIN, self._next_step()), now_ns)
        return prober.due(now_ns)

    def tick(self, now_ns: int) -> None:
        """Notice that feedback stays away although something is sent: the path is blocked, or drowned."""
        self.prober.earn(self.target_bps, now_ns)
        self._probed(None, now_ns)
        if self._unanswered(now_ns) and now_ns - self._cut_ns > NS // 2:
            self._cut_ns = now_ns
            self._stalled_bps = max(self._stalled_bps, self.target_bps)
            self._set(0.7 * self.target_bps)

    def _unanswered(self, now_ns: int) -> bool:
        """Whether feedback is overdue; about nothing sent there is none."""
        if self._fed_ns is None or self.unanswered_bytes < _UNANSWERED_BYTES:
            return False
        return now_ns - self._fed_ns > SILENCE_NS + self.rtt_ns

    def _next_step(self) -> float:
        step = (PROBE_STEP if self.target_bps > THIN_BPS else CAREFUL_STEP) * self.target_bps
        return step if self._full_bps is None else min(step, max(self.target_bps, self._full_bps) * CAREFUL_STEP)

    def _measure_rtt(self, sample_ns: int) -> None:
        self.rtt_ns += (sample_ns - self.rtt_ns) // (2 if sample_ns < self.rtt_ns else 8)

    def _over(self, now_ns: int) -> None:
        if self.prober.active:
            # The padding did it: without it the queue drains by itself.
            self.prober.abort()
            self._cut_ns = max(self._cut_ns, now_ns - _RESPONSE_NS)
            return
        if now_ns - self._cut_ns < self.rtt_ns + _RESPONSE_NS:
            return
        self._cut_ns = now_ns
        # A long queue leaves no pauses: then the newest figure is right, and a drop is seen for what it is at once.
        delivered = self._rates.peak_bps(0 if self.queue_ms > _LONG_MS else RECENT_NS)
        if delivered and not self._shared(delivered, now_ns):
            self._cut(delivered, now_ns)

    def _prove(self, proven_bps: float, now_ns: int) -> None:
        """A train came faster than it was sent: what delay took away is given back, as far as the train proves it."""
        if not proven_bps:
            return
        at_ns, before_bps = self._proven
        self._proven = now_ns, max(proven_bps, before_bps if now_ns - at_ns < PROVEN_NS else 0.0)
        if self._stalled_bps > self.target_bps:
            self._full_bps = None
            self._set(max(self.target_bps, min(self._stalled_bps, PROVEN_TRUST * proven_bps)))
        self._stalled_bps = 0.0

    def _cut(self, delivered_bps: float, now_ns: int) -> None:
        at_ns, proven_bps = self._proven
        if now_ns - at_ns < PROVEN_NS and PROVEN_TRUST * proven_bps >= self.target_bps:
            return
        self._stalled_bps = max(self._stalled_bps, self.target_bps)
        self._last_cut = (now_ns, self.queue_ms, delivered_bps)
        if self.queue_ms > _DRAINED_MS or delivered_bps < 0.97 * self._rates.offered_bps(SHORT_NS):
            self._full_bps = delivered_bps
            # The longer the queue, the further below: it has to drain too.
            share = max(DEEP_BACKOFF, BACKOFF - self.queue_ms / 1_000)
            self._set(min(self.target_bps, share * delivered_bps))
        else:
            self._set(min(self.target_bps, max(BACKOFF * self.target_bps, delivered_bps)))

    def _compete(self, batch: Batch, now_ns: int) -> None:
        """Beside a flow that fills every queue only loss is a sign, as it is for that flow (Copa, NSDI 2018, 2.2)."""
        if self.queue_ms > _SHARED_QUEUE_MS:
            # That is more than it was: we are the ones who fill it.
            self._shared_until_ns = now_ns
        elif batch.lost > 0 and now_ns - self._cut_ns > self.rtt_ns + _SHARED_CUT_NS:
            self._cut_ns = now_ns
            self._set(BACKOFF * self.target_bps)

    def _shared(self, delivered_bps: float, now_ns: int) -> bool:
        """Whether the queue is somebody else's: cut after cut we send less than came through before, and it stands."""
        cut_ns, queue_ms, before_bps = self._last_cut
        offered = self._rates.offered_bps(SHORT_NS)
        if now_ns - cut_ns > _RECENT_NS or self.queue_ms < 0.3 * queue_ms:
            self._futile = 0
        if not cut_ns or offered > 0.95 * before_bps or delivered_bps > 1.05 * offered:
            return False
        if not self._futile:
            self._restore_bps = before_bps
        self._futile += 1
        if self._futile < _PATIENCE:
            return False
        self._futile = 0
        self._full_bps = None
        self._shared_until_ns = now_ns + _SHARED_NS
        self._set(max(self.target_bps, BACKOFF * self._restore_bps))
        self._delay.rebase()
        return True

    def _grow(self, now_ns: int) -> None:
        if not self._loss.clean:
            return
        full = self._full_bps
        if full is not None and self.target_bps < BACKOFF * full:
            # The queue has drained.
            self._set(BACKOFF * full)
        if full is not None and self.target_bps > 1.2 * full:
            self._full_bps = full = None
        careful = full is not None and self.target_bps >= BACKOFF * full
        self._creep(CAREFUL_GROWTH if careful else GROWTH, HEADROOM, now_ns)

    def _creep(self, growth: float, headroom: float, now_ns: int) -> None:
        """Grow by this share per second, as far as what was delivered justifies it."""
        limit = headroom * self._rates.delivered_bps()
        if self.target_bps < limit:
            self._set(min(limit, self.target_bps * (1 + growth * min(now_ns - self._at_ns, NS) / NS)))

    def _probed(self, batch: Batch | None, now_ns: int) -> None:
        known = max(self.target_bps, self._full_bps or 0.0)
        result = self.prober.observe(batch, now_ns, self.rtt_ns, known)
        if result is None:
            return
        if result.clean:
            self._full_bps = None
            self._set(max(self.target_bps, PROBE_TRUST * result.rate_bps))
        else:
            self._full_bps = result.rate_bps
            self._set(max(self.target_bps, FULL_TRUST * result.rate_bps))

    def _set(self, bits_per_second: float) -> None:
        self.target_bps = min(CEILING_BPS, max(FLOOR_BPS, bits_per_second))
