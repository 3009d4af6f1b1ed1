# SPDX-License-Identifier: Apache-2.0
"""Finds out that a process beside this one has stopped speaking."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

AGAIN_S: Final = 0.5


class Watchdog:
    """Calls `bite` once when nothing was `heard` for `patience_s`.

    It looks twice, `AGAIN_S` apart: whoever was itself asleep finds the time over, and all that came meanwhile unread.
    """

    def __init__(self, patience_s: float, bite: Callable[[], None]) -> None:
        self._patience_s = patience_s
        self._bite = bite
        self._loop = asyncio.get_running_loop()
        self._heard_s = self._loop.time()
        self._doubt = False
        self._timer = self._loop.call_later(patience_s, self._look)

    def heard(self) -> None:
        """It has spoken."""
        self._heard_s = self._loop.time()
        self._doubt = False

    def close(self) -> None:
        """Watch no longer."""
        self._timer.cancel()

    def _look(self) -> None:
        left_s = self._heard_s + self._patience_s - self._loop.time()
        if left_s > 0:
            self._timer = self._loop.call_later(left_s, self._look)
        elif not self._doubt:
            self._doubt = True
            self._timer = self._loop.call_later(AGAIN_S, self._look)
        else:
            self._bite()
