# SPDX-License-Identifier: Apache-2.0
"""What all people of one generator process share."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from loadtest.clip import Clip, Signatures
from loadtest.drive.doors import Doors, FarPeer
from loadtest.measure.recorder import Recorder
from loadtest.pacer import Pacer
from loadtest.peer import Peer

FAULT_LASTS_S: Final = 20.0


class Place:
    """What people need to be there: clips, time, a note book, and perhaps a bad network."""

    def __init__(self, pacer: Pacer, clips: tuple[Clip, ...], recorder: Recorder, doors: Doors | None) -> None:
        self.pacer = pacer
        self.clips = clips
        self.recorder = recorder
        self.start_s = 0.0
        """When the clock of the test started."""
        self.fault_s: float | None = None
        """When somebody last struck a node or cut connections."""
        self.over = asyncio.Event()
        """Set when everybody shall leave before their time."""
        self._doors = doors
        self._signatures = Signatures(clips)

    def now_s(self) -> float:
        """The machine's monotonic clock, which all processes share."""
        return time.monotonic()

    def recent_fault_s(self) -> float | None:
        """When the fault was that a loss of now comes from, if there was one."""
        recent = self.fault_s is not None and self.now_s() - self.fault_s < FAULT_LASTS_S
        return self.fault_s if recent else None

    async def until(self, at_s: float) -> bool:
        """Wait for this time; False: the test ends before."""
        try:
            async with asyncio.timeout(max(0.0, at_s - self.now_s())):
                await self.over.wait()
        except TimeoutError:
            return True
        return False

    def peer(self, clip: int, slots: int, *, far: bool) -> Peer:
        """A new peer connection for somebody with this clip."""
        own = self.clips[clip % len(self.clips)]
        if far and self._doors is not None:
            return FarPeer(self._doors, own, self.pacer, signatures=self._signatures, slots=slots)
        return Peer(own, self.pacer, signatures=self._signatures, slots=slots)
