# SPDX-License-Identifier: Apache-2.0
"""When a worker has more to do than a core bears: pictures become smaller, then fewer; voices stay to the last."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

TOO_BUSY: Final = 0.92
"""Share of a core above which queues begin to grow."""

TOO_LATE_MS: Final = 40.0
"""Lateness of the loop that people would hear as gaps."""

CALM: Final = 0.75
CALM_S: Final = 5
"""Seconds in a row below `CALM` before something is given back: giving back too soon would flap."""


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
    """Steps up at once and down slowly; `update` is called once a second."""

    __slots__ = ("_calm_s", "shed")

    def __init__(self) -> None:
        self.shed = Shed.NOTHING
        self._calm_s = 0

    def update(self, busy: float, lag_ms: float) -> bool:
        """Feed the share of the core in use and the worst lateness of the last second; whether `shed` changed."""
        if busy > TOO_BUSY or lag_ms > TOO_LATE_MS:
            self._calm_s = 0
            # A late loop with little to do had one slow moment: fewer pictures would not help it.
            return busy > CALM and self._step(1)
        self._calm_s = self._calm_s + 1 if busy < CALM else 0
        if self._calm_s < CALM_S:
            return False
        self._calm_s = 0
        return self._step(-1)

    def _step(self, by: int) -> bool:
        before = self.shed
        self.shed = Shed(min(Shed.ALL_PICTURES, max(Shed.NOTHING, before + by)))
        return self.shed is not before
