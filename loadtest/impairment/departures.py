# SPDX-License-Identifier: Apache-2.0
"""Datagrams that wait for their time, behind one timer; how late they left is counted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from typing import Final

from msgspec import Struct

Depart = Callable[[bytes], None]

_LATE_NS: Final = 2_000_000
_MS: Final = 1_000_000


class Lateness(Struct):
    """How far behind their time datagrams left: the rig's own share in what was measured behind it."""

    sent: int = 0
    sum_ms: float = 0.0
    most_ms: float = 0.0
    over_2_ms: int = 0

    @property
    def mean_ms(self) -> float:
        """Of all that were sent."""
        return self.sum_ms / self.sent if self.sent else 0.0


class Departures:
    """Calls each `depart` with its datagram at its time (ns of `time.monotonic_ns`)."""

    def __init__(self) -> None:
        self.lateness = Lateness()
        self._loop = asyncio.get_running_loop()
        self._waiting: list[tuple[int, int, Depart, bytes]] = []
        self._order = count()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ns = 0

    def add(self, due_ns: int, depart: Depart, data: bytes) -> None:
        """Let this datagram leave then; call `flush` after the last of a batch."""
        heappush(self._waiting, (due_ns, next(self._order), depart, data))

    def flush(self) -> None:
        """Send what is due, and wait for the next."""
        waiting, now_ns = self._waiting, time.monotonic_ns()
        while waiting and waiting[0][0] <= now_ns:
            due_ns, _, depart, data = heappop(waiting)
            depart(data)
            self._count(now_ns - due_ns)
        self._arm(now_ns)

    def close(self) -> None:
        """Forget what still waits."""
        self._waiting.clear()
        self._arm(0)

    def _count(self, late_ns: int) -> None:
        late = self.lateness
        late.sent += 1
        late.sum_ms += late_ns / _MS
        late.most_ms = max(late.most_ms, late_ns / _MS)
        late.over_2_ms += late_ns > _LATE_NS

    def _arm(self, now_ns: int) -> None:
        due_ns = self._waiting[0][0] if self._waiting else 0
        if self._timer is not None and due_ns == self._timer_ns:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_ns = due_ns
        self._timer = self._loop.call_later((due_ns - now_ns) / 1e9, self._ring) if due_ns else None

    def _ring(self) -> None:
        self._timer = None
        self.flush()
