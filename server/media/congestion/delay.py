# SPDX-License-Identifier: Apache-2.0
"""Whether a queue grows on the way: the one-way delay of bursts of packets, its trend, and what never drains.

Trend and adaptive threshold after Carlucci et al., "Analysis and Design of the Google Congestion Control for WebRTC"
(MMSys 2016), with an exponential window; the standing queue after CoDel (RFC 8289 section 3): the least delay of an
interval, which bursts do not touch.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from enum import Enum, auto
from typing import Final

from server.media.congestion.acknowledged import Batch

BURST_NS: Final = 5_000_000
"""Packets sent within this time count as one: their spacing says nothing of the queue."""

STANDING_MS: Final = 10.0
"""A queue that drains below this within `INTERVAL_NS` is no congestion, whatever its trend."""

FULL_MS: Final = 80.0
"""A standing queue above this is congestion even if it does not grow."""

INTERVAL_NS: Final = 150_000_000
EPOCH_NS: Final = 2_000_000_000
EPOCHS: Final = 8
"""The base delay is the least of the last `EPOCHS * EPOCH_NS`: a changed route is forgotten after that."""

_MEMORY: Final = 0.93
_SMOOTHING: Final = 0.15
_GAIN: Final = 4.0
_COUNT_CAP: Final = 60
_FIRST_THRESHOLD: Final = 12.5
_LEAST_THRESHOLD, _MOST_THRESHOLD = 6.0, 600.0
_THRESHOLD_UP, _THRESHOLD_DOWN = 0.0087, 0.039
_LEAP: Final = 15.0
_STEP_MS: Final = 100.0
_SUSTAINED_MS: Final = 10.0


class Usage(Enum):
    """What the delay says of the link."""

    UNDER = auto()
    """A queue drains."""
    NORMAL = auto()
    OVER = auto()


class Trend:
    """Slope of the delay over the last dozen of bursts, against a threshold that follows the noise."""

    __slots__ = (
        "_bursts", "_covariance", "_delay", "_mean_delay", "_mean_time", "_over_ms", "_previous",
        "_threshold", "_time", "_variance", "_weight", "usage",
    )  # fmt: skip

    def __init__(self) -> None:
        self.usage = Usage.NORMAL
        self._threshold = _FIRST_THRESHOLD
        self._restart()

    def _restart(self) -> None:
        self._bursts = 0
        self._weight = self._mean_time = self._mean_delay = self._variance = self._covariance = 0.0
        self._time = self._delay = self._over_ms = self._previous = 0.0

    def add(self, time_ms: float, delay_ms: float) -> None:
        """The last packet of a burst came at this time, after this delay (any origin)."""
        if not self._bursts:
            self._delay = delay_ms
        elif time_ms - self._time > 2_000:
            self._restart()
            self._delay = delay_ms
        self._bursts += 1
        self._delay += _SMOOTHING * (delay_ms - self._delay)
        self._weight = self._weight * _MEMORY + 1
        off = time_ms - self._mean_time
        self._mean_time += off / self._weight
        above = self._delay - self._mean_delay
        self._mean_delay += above / self._weight
        self._covariance = self._covariance * _MEMORY + off * (self._delay - self._mean_delay)
        self._variance = self._variance * _MEMORY + off * (time_ms - self._mean_time)
        elapsed = time_ms - self._time
        self._time = time_ms
        if self._bursts > 2 and self._variance > 0:
            slope = self._covariance / self._variance
            self._detect(slope * min(self._bursts, _COUNT_CAP) * _GAIN, slope, elapsed)

    def _detect(self, growth: float, slope: float, elapsed: float) -> None:
        if growth > self._threshold:
            self._over_ms += elapsed
            if self._over_ms > _SUSTAINED_MS and slope >= self._previous * 0.9:
                self.usage = Usage.OVER
        else:
            self._over_ms = 0.0
            self.usage = Usage.UNDER if growth < -self._threshold else Usage.NORMAL
        self._previous = slope
        size = abs(growth)
        if size < self._threshold + _LEAP:
            speed = _THRESHOLD_UP if size > self._threshold else _THRESHOLD_DOWN
            moved = self._threshold + speed * (size - self._threshold) * min(elapsed, _STEP_MS)
            self._threshold = min(_MOST_THRESHOLD, max(_LEAST_THRESHOLD, moved))


class DelayDetector:
    """Feeds bursts to the trend, and keeps the base delay and the standing queue."""

    __slots__ = ("_base", "_epoch", "_recent", "_trend", "queue_ms")

    def __init__(self) -> None:
        self._trend = Trend()
        self._base: deque[float] = deque(maxlen=EPOCHS)
        self._epoch = 0
        self._recent: deque[tuple[int, float]] = deque()
        self.queue_ms = 0.0
        """The queue that did not drain lately, above the least delay known."""

    def add(self, batch: Batch) -> Usage:
        """The verdict after one feedback."""
        sent, arrived = batch.sent, batch.arrived
        at = 0
        while at < len(sent):
            end = bisect_right(sent, sent[at] + BURST_NS, at + 1)
            delay_ms = (arrived[end - 1] - sent[end - 1]) / 1e6
            self._trend.add(arrived[end - 1] / 1e6, delay_ms)
            self._recent.append((sent[end - 1], delay_ms))
            at = end
        if sent:
            self._measure(sent[-1])
        return self._verdict()

    def rebase(self) -> None:
        """Take the present delay for the base: the queue that stands there is not ours."""
        self._base.clear()
        self._base.append(min(delay for _, delay in self._recent) if self._recent else 0.0)

    def _measure(self, newest_ns: int) -> None:
        recent = self._recent
        while recent[0][0] < newest_ns - INTERVAL_NS and len(recent) > 3:
            recent.popleft()
        least = min(delay for _, delay in recent)
        if not self._base or newest_ns // EPOCH_NS != self._epoch:
            self._epoch = newest_ns // EPOCH_NS
            self._base.append(least)
        self._base[-1] = min(self._base[-1], least)
        self.queue_ms = least - min(self._base)

    def _verdict(self) -> Usage:
        usage = self._trend.usage
        if self.queue_ms > FULL_MS and usage is not Usage.UNDER:
            return Usage.OVER
        if usage is Usage.OVER and self.queue_ms < STANDING_MS:
            return Usage.NORMAL
        return usage
