# SPDX-License-Identifier: Apache-2.0
"""Whether Redis takes writes now: asked all the time, so that an idle node knows it too."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from typing import Final

import structlog
from redis.exceptions import ResponseError

from server.cluster.calls import Executes, call, why
from server.cluster.ending import begin, end
from server.cluster.shards import Shards
from server.ports import LogUnavailable

PROBE_S: Final = 0.4
"""Between two probes."""
ANSWER_S: Final = 0.6
"""How long one may take; a second one, on a new connection, decides. 0.4 + 2 * 0.6 is less than the 2 s promised."""
KEPT_MS: Final = 10_000
QUIET_S: Final = 10.0
"""Between two lines of the log about what is refused."""
SURE_S: Final = 9.0
"""For so long after it was sent a probe has to be there still."""

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
        self._probed: dict[str, tuple[str, float]] = {}
        """For each server the key of the last probe that it has taken, and until when (the loop's clock) it is kept."""
        self._emptied = False
        """Whether one has been missed that nobody was told of."""
        self._quiet_until = -math.inf
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

    async def keeps(self, name: str) -> bool:
        """Whether this server still has the last probe; if not, all are told as of a change. Raises LogUnavailable."""
        probe = self._probed.get(name)
        found = probe is None or await call(self._client, "EXISTS", probe[0]) or self._now() >= probe[1]
        if not found and self._probed.get(name) == probe:
            self._miss(name)
            self.tell()
        return bool(found)

    def refused(self, error: BaseException) -> None:
        """Say in the log, now and then, that something else is refused while probes are taken."""
        if isinstance(error, ResponseError) and not self.gone and self._now() >= self._quiet_until:
            self._quiet_until = self._now() + QUIET_S
            _log.warning("redis_refuses", problem=why(error))

    def tell(self) -> None:
        """Tell all of how it is, also when no probe has failed."""
        for callback in tuple(self._callbacks):
            callback(bool(self.gone))

    async def _run(self) -> None:
        while True:
            names = self._shards.names()
            problems = await asyncio.gather(*(self._problem(name, tag) for name, tag in names.items()))
            gone = {name: problem for name, problem in zip(names, problems, strict=True) if problem is not None}
            told = self._set(gone, away=bool(names) and len(gone) == len(names))
            if self._emptied and not told:
                self.tell()
            self._emptied = False
            await asyncio.sleep(PROBE_S)

    async def _problem(self, name: str, tag: str) -> str | None:
        """Why this server takes no write within two attempts; None: it does."""
        tries, failures = (1 if name in self.gone else 2), 0
        problem = "no answer in time"
        over = self._now() + tries * ANSWER_S
        while failures < tries and (left := over - self._now()) > 0:
            try:
                async with asyncio.timeout(min(left, ANSWER_S)):
                    await self._probe(name, self._key % tag)
            except TimeoutError:
                continue  # the connection may be dead: when its calls are given up, there is time for one on another
            except LogUnavailable as error:
                problem = why(error)
                failures += 1
            else:
                return None
        return problem

    async def _probe(self, name: str, key: str) -> None:
        """Write the key, and see whether it was there, as it should be. Raises LogUnavailable."""
        before, sent = self._probed.get(name), self._now()
        found = await call(self._client, "SET", key, 1, "PX", KEPT_MS, "GET")
        if found is None and before is not None and before[0] == key and self._now() < before[1]:
            self._miss(name)
            self._emptied = True
        self._probed[name] = key, sent + SURE_S

    def _miss(self, name: str) -> None:
        """What was written a moment ago is gone, and with it perhaps rooms."""
        self._probed.pop(name, None)
        _log.warning("redis_emptied", problem="what was just written is gone: FLUSHALL, or a copy from before")

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    def _set(self, gone: Mapping[str, str], *, away: bool) -> bool:
        """How it is now; returns whether that is new, and all were told."""
        self.away = away
        if gone.keys() == self.gone:
            return False
        self.gone = frozenset(gone)
        if gone:
            _log.warning("redis_away", servers=len(gone), problem="; ".join(sorted(set(gone.values()))))
        else:
            _log.warning("redis_back")
        self.tell()
        return True
