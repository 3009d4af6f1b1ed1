# SPDX-License-Identifier: Apache-2.0
"""All that watches a node, as one thing to start and to end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from server.config import Config
from server.ids import NodeId
from server.observe.lag import LagWatch
from server.observe.log import MeteredLog
from server.observe.looks import Look, Looks
from server.observe.metrics import Metrics, exposition
from server.observe.operations import Operations
from server.observe.rooms import facts_of
from server.observe.traces import tracer_of
from server.ports import RoomLog


class Observatory:
    """Counts from the beginning; shows it from `start` on, if it is given a port."""

    def __init__(
        self, config: Config, node: NodeId, look: Callable[[], Look], checks: Mapping[str, Callable[[], bool]]
    ) -> None:
        self.tracer: Final = tracer_of(config, node)
        self.metrics: Final = Metrics()
        self.metrics.registry.register(Looks(look))
        self._lag = LagWatch(self.metrics.late)
        self._operations = Operations(exposition(self.metrics.registry), checks, lambda: map(facts_of, look().rooms))

    def watched(self, log: RoomLog) -> MeteredLog:
        """The same log, whose calls are counted and timed."""
        return MeteredLog(log, self.metrics, self.tracer)

    @property
    def port(self) -> int:
        """Where operators look; 0: nowhere."""
        return self._operations.port

    async def start(self, host: str, port: int | None) -> None:
        """Raises OSError when the port is in use."""
        self._lag.start()
        if port is not None:
            await self._operations.start(host, port)

    async def close(self) -> None:
        """End."""
        self._lag.close()
        await self._operations.close()
        if self.tracer is not None:
            await asyncio.to_thread(self.tracer.close)
