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
from typing import Final, Protocol

from server.media.congestion.acknowledged import Batch
from server.media.congestion.feedback import TICK_NS

BURST_NS: Final = 10_000_000
"""Packets sent within this time count as one: their spacing says nothing of the queue."""

STANDING_MS: Final = 15.0
"""A queue that drains below this within `INTERVAL_NS` is no congestion, whatever its trend."""

FULL_MS: Final = 80.0
"""A standing queue above this is congestion even if it does not grow."""

INTERVAL_NS: Final = 150_000_000
EPOCH_NS: Final = 2_000_000_000
EPOCHS: Final = 8
"""The base delay is the least of the last `EPOCHS * EPOCH_NS`: a changed route is forgotten after that."""

_MEMORY: Final = 0.88
_SMOOTHING: Final = 0.25
_GAIN: Final = 4.0
_COUNT_CAP: Final = 60
_FIRST_THRESHOLD: Final = 12.5
_LEAST_THRESHOLD: Final = 6.0
_THRESHOLD_UP, _THRESHOLD_DOWN = 0.0087, 0.039
_LEAP: Final = 15.0
_STEP_MS: Final = 100.0
_PAUSE_MS: Final = 2_000.0
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
        "_bursts", "_covariance", "_mean_delay", "_mean_time", "_origin_delay", "_origin_ms", "_over_ms", "_previous",
        "_smooth", "_threshold", "_time", "_variance", "_weight", "least_ns", "usage",
    )  # fmt: skip

    def __init__(self) -> None:
        self.usage = Usage.NORMAL
        self.least_ns = 0
        self._threshold = _FIRST_THRESHOLD
        self._time = 0.0
        self._restart()

    def _restart(self) -> None:
        self._bursts = 0
        self._origin_ms = self._origin_delay = 0.0
        self._weight = self._mean_time = self._mean_delay = self._variance = self._covariance = 0.0
        self._smooth = self._over_ms = self._previous = 0.0

    def follow(self, batch: Batch) -> Usage:
        """The verdict after the last burst of these packets; their least delay is in `least_ns` then.

        One loop over local names: this runs for every burst that every subscriber gets.
        """
        bursts = _bursts(batch)
        if bursts:
            self.least_ns = min([delay for _, delay in bursts])
        for arrived_ns, delay_ns in bursts:
            time_ms, delay_ms = arrived_ns / 1e6, delay_ns / 1e6
            elapsed = time_ms - self._time
            if elapsed > _PAUSE_MS:
                self._restart()
            self._time = time_ms
            self._bursts += 1
            if self._bursts == 1:
                # The origin near the first sample keeps the sums small and exact.
                self._origin_ms, self._origin_delay = time_ms, delay_ms
                elapsed = 0.0
            self._smooth += _SMOOTHING * (delay_ms - self._origin_delay - self._smooth)
            weight = self._weight = self._weight * _MEMORY + 1.0
            off = time_ms - self._origin_ms - self._mean_time
            mean_time = self._mean_time = self._mean_time + off / weight
            mean_delay = self._mean_delay = self._mean_delay + (self._smooth - self._mean_delay) / weight
            self._covariance = self._covariance * _MEMORY + off * (self._smooth - mean_delay)
            self._variance = self._variance * _MEMORY + off * (time_ms - self._origin_ms - mean_time)
            if self._bursts > 2 and self._variance > 0.0:
                self._detect(self._covariance / self._variance, elapsed)
        return self.usage

    def _detect(self, slope: float, elapsed: float) -> None:
        growth = slope * (min(_COUNT_CAP, self._bursts)) * _GAIN
        threshold = self._threshold
        if growth > threshold:
            self._over_ms += elapsed
            if self._over_ms > _SUSTAINED_MS and slope >= self._previous * 0.9:
                self.usage = Usage.OVER
        else:
            self._over_ms = 0.0
            self.usage = Usage.UNDER if growth < -threshold else Usage.NORMAL
        self._previous = slope
        size = growth if growth > 0.0 else -growth
        if size < threshold + _LEAP:
            speed = _THRESHOLD_UP if size > threshold else _THRESHOLD_DOWN
            moved = threshold + speed * (size - threshold) * (min(_STEP_MS, elapsed))
            self._threshold = max(_LEAST_THRESHOLD, moved)


class TrendPort(Protocol):
    """See `Trend`."""

    @property
    def least_ns(self) -> int: ...

    def follow(self, batch: Batch) -> Usage: ...


class DelayDetector:
    """Feeds bursts to the trend, and keeps the base delay and the standing queue."""

    __slots__ = ("_base", "_epoch", "_recent", "_trend", "queue_ms")

    def __init__(self, trend: TrendPort | None = None) -> None:
        self._trend = trend if trend is not None else Trend()
        self._base: deque[int] = deque(maxlen=EPOCHS)
        self._epoch = 0
        self._recent: deque[tuple[int, int]] = deque()
        self.queue_ms = 0.0
        """The queue that did not drain lately, above the least delay known."""

    def add(self, batch: Batch) -> Usage:
        """The verdict after one feedback."""
        usage = self._trend.follow(batch)
        if len(batch.sent):
            self._measure(batch.sent[-1], self._trend.least_ns)
        return self._verdict(usage)

    def rebase(self) -> None:
        """Take the present delay for the base: the queue that stands there is not ours."""
        self._base.clear()
        self._base.append(min((delay for _, delay in self._recent), default=0))

    def _measure(self, newest_ns: int, least_ns: int) -> None:
        """Keep the least delay of each feedback for `INTERVAL_NS`, and of each epoch."""
        recent = self._recent
        recent.append((newest_ns, least_ns))
        while recent[0][0] < newest_ns - INTERVAL_NS and len(recent) > 1:
            recent.popleft()
        standing = min([delay for _, delay in recent])
        if not self._base or newest_ns // EPOCH_NS != self._epoch:
            self._epoch = newest_ns // EPOCH_NS
            self._base.append(standing)
        elif standing < self._base[-1]:
            self._base[-1] = standing
        self.queue_ms = (standing - min(self._base)) / 1e6

    def _verdict(self, usage: Usage) -> Usage:
        if self.queue_ms > FULL_MS and usage is not Usage.UNDER:
            return Usage.OVER
        if usage is Usage.OVER and self.queue_ms < STANDING_MS:
            return Usage.NORMAL
        return usage


def _bursts(batch: Batch) -> list[tuple[int, int]]:
    """Of each burst the arrival of its last packet and the delay of that one (ns, any origin)."""
    sent, ticks, origin = batch.sent, batch.ticks, batch.origin
    count, at = len(sent), 0
    bursts = []
    while at < count:
        at = bisect_right(sent, sent[at] + BURST_NS, at + 1)
        arrived = (ticks[at - 1] + origin) * TICK_NS
        bursts.append((arrived, arrived - sent[at - 1]))
    return bursts
