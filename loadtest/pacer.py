# SPDX-License-Identifier: Apache-2.0
"""Real time for everything a process sends: one timer, however many streams."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

Step = Callable[[float], float]
"""Does what is due at this time of the loop's clock (s), returns when it wants to be called again."""


class Pacer:
    """Calls steps when they are due. `latest_s` tells how far the process itself has fallen behind."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._due: list[tuple[float, int, Step]] = []
        self._order = count()
        self._removed: set[Step] = set()
        self._timer: asyncio.TimerHandle | None = None
        self.latest_s = 0.0

    def add(self, step: Step, delay_s: float = 0.0) -> None:
        """Call this step after a delay, and then whenever it asks for."""
        heappush(self._due, (self._loop.time() + delay_s, next(self._order), step))
        self._arm()

    def remove(self, step: Step) -> None:
        """Never call this step again."""
        self._due = sorted(entry for entry in self._due if entry[2] != step)
        self._removed.add(step)
        self._arm()

    def close(self) -> None:
        """Forget all steps."""
        self._due.clear()
        self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._due[0][0], self._run) if self._due else None

    def _run(self) -> None:
        self._timer = None
        self._removed.clear()
        now = self._loop.time()
        while self._due and self._due[0][0] <= now:
            due, _, step = heappop(self._due)
            self.latest_s = max(self.latest_s, now - due)
            again = step(now)
            if step not in self._removed:
                heappush(self._due, (again, next(self._order), step))
        self._arm()
