# SPDX-License-Identifier: Apache-2.0
"""When a worker has more to do than a core bears: pictures become smaller, then fewer; voices stay to the last."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

TOO_BUSY: Final = 0.97
"""Share of a core above which queues grow without end; a batch at a time, the packet path gets on well until there."""

BUSY: Final = 0.9
TOO_LATE_MS: Final = 80.0
"""Lateness of a busy loop that people would hear as gaps. A loop with little to do was only held up for a moment."""

PATIENCE_S: Final = 3
"""Seconds in a row before something is left out: people who all join at once are a burst of handshakes, no overload."""

CALM: Final = 0.85
CALM_S: Final = 4
LONGEST_CALM_S: Final = 64
"""Seconds in a row below `CALM` before something is given back; twice as many each time that this was too soon."""


class Shed(IntEnum):
    """What is left out for everybody on the worker; each step includes the ones before."""

    NOTHING = 0
    LARGE = 1
    """The largest layer of every picture."""
    MIDDLE = 2
    """All but the smallest layer."""
    MOST = 3
    """Pictures but those that were pinned, and of whoever has the turn or the spotlight."""
    ALL_PICTURES = 4


class Overload:
    """Steps up when it lasts, and down slowly; `update` is called once a second."""

    __slots__ = ("_calm_s", "_needed_s", "_since_back_s", "_trouble_s", "shed")

    def __init__(self) -> None:
        self.shed = Shed.NOTHING
        self._trouble_s = self._calm_s = 0
        self._needed_s = CALM_S
        self._since_back_s = LONGEST_CALM_S

    def update(self, busy: float, lag_ms: float) -> bool:
        """Feed the share of the core in use and the worst lateness of the last second; whether `shed` changed."""
        trouble = busy > TOO_BUSY or (lag_ms > TOO_LATE_MS and busy > BUSY)
        self._trouble_s = self._trouble_s + 1 if trouble else 0
        self._calm_s = self._calm_s + 1 if busy < CALM else 0
        self._since_back_s += 1
        if self._trouble_s >= PATIENCE_S:
            return self._more()
        if self._calm_s >= self._needed_s and self.shed is not Shed.NOTHING:
            return self._less()
        return False

    def _more(self) -> bool:
        self._trouble_s = 0
        too_soon = self._since_back_s < self._needed_s + PATIENCE_S
        self._needed_s = min(LONGEST_CALM_S, 2 * self._needed_s) if too_soon else CALM_S
        before = self.shed
        self.shed = Shed(min(Shed.ALL_PICTURES, before + 1))
        return self.shed is not before

    def _less(self) -> bool:
        self._calm_s = self._since_back_s = 0
        self.shed = Shed(self.shed - 1)
        return True
