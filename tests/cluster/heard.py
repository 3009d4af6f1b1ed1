# SPDX-License-Identifier: Apache-2.0
"""What somebody who follows a room hears."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from server.ports import Entry, Epoch, Seq


class Heard:
    """Collects hints; those without entries only tell positions."""

    def __init__(self) -> None:
        self.hints: list[tuple[Epoch, Seq, tuple[Entry, ...]]] = []
        self.positions: list[tuple[Epoch, Seq]] = []
        self._more = asyncio.Event()

    def __call__(self, epoch: Epoch, first: Seq, entries: tuple[Entry, ...]) -> None:
        """A hint."""
        if entries:
            self.hints.append((epoch, first, entries))
        else:
            self.positions.append((epoch, Seq(first - 1)))
        self._more.set()

    async def until(self, check: Callable[[], bool]) -> None:
        """Wait until this is so."""
        async with asyncio.timeout(5):
            while not check():
                self._more.clear()
                await self._more.wait()
