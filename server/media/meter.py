# SPDX-License-Identifier: Apache-2.0
"""The bit rate of a stream over about the last second. Pure."""

from __future__ import annotations

from typing import Final

NS: Final = 1_000_000_000
BUCKET_NS: Final = NS // 4
_BUCKETS: Final = 4
_SETTLED: Final = 8
"""Buckets after which a stream has a steady rate: it begins with a keyframe, which says little of it."""

_WEIGHT: Final = 0.08


class Meter:
    """Counts bytes in quarters of a second; `total` is since the start. Times are monotonic nanoseconds."""

    __slots__ = ("_began_ns", "_bytes", "_filled", "_steady", "_until_ns", "total")

    def __init__(self) -> None:
        self.total = 0
        self._bytes = 0
        self._until_ns = 0
        self._began_ns = 0
        self._filled = [0] * _BUCKETS
        self._steady = 0.0

    def add(self, size_bytes: int, now_ns: int) -> None:
        """A packet came."""
        if now_ns >= self._until_ns:
            self._roll(now_ns)
        self._bytes += size_bytes
        self.total += size_bytes

    def bps(self, now_ns: int) -> int:
        """Bits per second; 0 when nothing came for a second. A new stream is judged by the time it has been there."""
        if now_ns >= self._until_ns:
            self._roll(now_ns)
        span_ns = min(now_ns - self._began_ns, _BUCKETS * BUCKET_NS + now_ns - self._until_ns + BUCKET_NS)
        return (sum(self._filled) + self._bytes) * 8 * NS // max(span_ns, BUCKET_NS)

    def steady_bps(self, now_ns: int) -> int:
        """Over some seconds, for what must not follow every keyframe; as `bps` for a stream that is new or gone."""
        recent = self.bps(now_ns)
        return int(self._steady) if recent and self._steady else recent

    def _roll(self, now_ns: int) -> None:
        passed = (now_ns - self._until_ns) // BUCKET_NS + 1
        if passed > _BUCKETS or not (self._bytes or any(self._filled)):
            self._filled = [0] * _BUCKETS
            self._until_ns = self._began_ns = now_ns
            self._steady = 0.0
            passed = 1
        else:
            if now_ns - self._began_ns > _SETTLED * BUCKET_NS:
                recent = self._bytes * 8 * NS / BUCKET_NS / passed
                self._steady += (recent - self._steady) * _WEIGHT if self._steady else self._settled(recent)
            self._filled = [*self._filled, self._bytes, *([0] * (passed - 1))][-_BUCKETS:]
        self._until_ns += passed * BUCKET_NS
        self._bytes = 0

    def _settled(self, recent_bps: float) -> float:
        return (sum(self._filled) * 8 * NS / BUCKET_NS + recent_bps) / (_BUCKETS + 1)
