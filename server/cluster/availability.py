# SPDX-License-Identifier: Apache-2.0
"""Whether Redis takes writes now: asked all the time, so that an idle node knows it too."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from server.cluster.calls import Executes, call
from server.cluster.ending import begin, end
from server.cluster.shards import Shards
from server.ports import LogUnavailable

PROBE_S: Final = 0.4
"""Between two probes."""
ANSWER_S: Final = 0.6
"""How long one may take; a second one, on a new connection, decides. 0.4 + 2 * 0.6 is less than the 2 s promised."""
KEPT_MS: Final = 10_000

_log: Final = structlog.get_logger("holdspace.redis")


class Availability:
    """Writes a probe to each server now and then. `key`: with %s for a hash tag of the server.

    A write, not a PING: a full Redis, a primary without its replicas, and one that was demoted answer a PING.
    """

    def __init__(self, client: Executes, shards: Shards, key: str) -> None:
        self._client = client
        self._shards = shards
        self._key = key
        self._callbacks: list[Callable[[bool], None]] = []
        self._task: asyncio.Task[None] | None = None
        self.gone: frozenset[str] = frozenset()
        """The servers that take no writes, by their name among the shards."""
        self.away = False
        """Whether that is all of them."""

    def start(self) -> None:
        """Begin."""
        self._task = begin(self._run())

    async def close(self) -> None:
        """End."""
        await end(self._task)

    def on_change(self, callback: Callable[[bool], None]) -> None:
        """Tell of each change of `gone`, and whether any server is."""
        self._callbacks.append(callback)

    def tell(self) -> None:
        """Tell all of how it is, also when no probe has failed."""
        for callback in tuple(self._callbacks):
            callback(bool(self.gone))

    async def _run(self) -> None:
        while True:
            names = self._shards.names()
            answers = await asyncio.gather(*(self._answers(name, tag) for name, tag in names.items()))
            gone = frozenset(name for name, well in zip(names, answers, strict=True) if not well)
            self._set(gone, away=bool(names) and len(gone) == len(names))
            await asyncio.sleep(PROBE_S)

    async def _answers(self, name: str, tag: str) -> bool:
        """Whether this server takes a write, within two attempts."""
        tries, failures = (1 if name in self.gone else 2), 0
        now = asyncio.get_running_loop().time
        over = now() + tries * ANSWER_S
        while failures < tries and (left := over - now()) > 0:
            try:
                async with asyncio.timeout(min(left, ANSWER_S)):
                    await call(self._client, "SET", self._key % tag, 1, "PX", KEPT_MS)
            except TimeoutError:
                continue  # the connection may be dead: when its calls are given up, there is time for one on another
            except LogUnavailable:
                failures += 1
            else:
                return True
        return False

    def _set(self, gone: frozenset[str], *, away: bool) -> None:
        self.away = away
        if gone != self.gone:
            self.gone = gone
            _log.warning("redis_away" if gone else "redis_back", servers=len(gone))
            self.tell()
