# SPDX-License-Identifier: Apache-2.0
"""What makes a server one of several: a connection to Redis, the log and its time, and the other nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from server.cluster.calls import why
from server.cluster.connect import UnsuitableRedis, check, client_of, disconnect
from server.cluster.home import home_of
from server.cluster.nodes import NodeInfo, Nodes, Registry
from server.cluster.redis_clock import RedisClock
from server.cluster.redis_log import RedisLog
from server.cluster.trial import try_out
from server.ids import RoomId
from server.ports import LogUnavailable

DEFER_MS: Final = 150
"""How much later than its home a node sees to the time-outs of a room."""


class System:
    """Starts and ends in order. `facts`: what this node says of itself. Raises ValueError for another kind of URL."""

    def __init__(self, url: str, facts: Callable[[], NodeInfo]) -> None:
        self.client = client_of(url)
        self.log = RedisLog(self.client)
        self.clock = RedisClock(self.client)
        self.nodes = Nodes(Registry(self.client), facts)

    async def start(self) -> None:
        """Raises UnsuitableRedis."""
        await check(self.client)
        await try_out(self.client)
        try:
            await self.clock.start()
            await self.log.start()
            await self.nodes.start()
        except LogUnavailable as error:
            raise UnsuitableRedis(f"Redis does not answer: {why(error)}") from error

    async def close(self) -> None:
        """The other nodes see to what is left of this one from now on."""
        await self.nodes.close()
        await self.log.close()
        await self.clock.close()
        await disconnect(self.client)

    def defer_ms(self, room: RoomId) -> int:
        """How long the time-outs of a room wait here: its home comes first, and then there is nothing left to do."""
        live = [info.node for info in self.nodes.live()]
        return 0 if home_of(room, live) in (None, self.nodes.node) else DEFER_MS

    def share(self) -> tuple[int, int] | None:
        """Which part of all partitions this node looks after, and of how many; None while it does not know."""
        live = sorted(info.node for info in self.nodes.live())
        return (live.index(self.nodes.node), len(live)) if self.nodes.node in live else None

    def others(self) -> tuple[str, ...]:
        """Addresses of the other nodes that browsers may go to."""
        here = self.nodes.node
        return tuple(
            sorted({info.url for info in self.nodes.live() if info.node != here and info.url and not info.draining})
        )

    def origins(self) -> tuple[str, ...]:
        """The origins of pages that the nodes hand out."""
        return tuple(origin_of(info.url) for info in self.nodes.live() if info.url)


def origin_of(url: str) -> str:
    """Scheme, host and port of an address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
