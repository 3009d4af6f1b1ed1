# SPDX-License-Identifier: Apache-2.0
"""How late the event loop is: every person of this node waits that much longer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

EVERY_S: Final = 0.05


class LagWatch:
    """Asks to be called every `EVERY_S`, and tells how late it was called, in seconds."""

    def __init__(self, tell: Callable[[float], None]) -> None:
        self._tell = tell
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin, in the running loop."""
        self._again(asyncio.get_running_loop())

    def close(self) -> None:
        """End."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _again(self, loop: asyncio.AbstractEventLoop) -> None:
        due = loop.time() + EVERY_S
        self._handle = loop.call_at(due, self._ring, loop, due)

    def _ring(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        self._tell(max(0.0, loop.time() - due))
        self._again(loop)
