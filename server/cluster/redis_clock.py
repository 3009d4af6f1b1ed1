# SPDX-License-Identifier: Apache-2.0
"""Log time of several nodes: each counts on its own, and asks Redis now and then what time it is.

After the clock of Redis was set log time follows for hours. A node that begins meanwhile has to begin where the others
are, not where Redis is: so each says how far ahead of Redis it is.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

from server.cluster.calls import call
from server.cluster.connect import Client
from server.cluster.ending import begin, end
from server.cluster.keys import tags
from server.cluster.log_time import LogTime
from server.cluster.replies import number
from server.cluster.scripts import TIME
from server.ports import LogUnavailable

REFRESH_S: Final = 5.0
FIRST_READINGS: Final = 5
KEPT_MS: Final = 60_000
"""How long it is known how far ahead log time is after the last node has said so."""
_KEY: Final = f"hs:{tags()[0]}:time"
_NS_PER_US: Final = 1_000
_NS_PER_MS: Final = 1_000_000
_SLACK_NS: Final = 2_000_000


class RedisClock:
    """`Clock` that agrees with those of all nodes of the same Redis to a few ms; `start` before `now_ms`."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._time: LogTime | None = None
        self._said_ms = 0
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Set the clock. Raises LogUnavailable."""
        readings = [await self._read() for _ in range(FIRST_READINGS)]
        _, local_ns, shared_ns, ahead_ns = min(readings)
        self._time = LogTime(local_ns, shared_ns, ahead_ns)
        self._task = begin(self._run(self._time))

    async def close(self) -> None:
        """Ask no more; the clock goes on."""
        await end(self._task)

    def now_ms(self) -> int:
        if self._time is None:
            raise RuntimeError("the clock was not started")
        return self._time.now_ms(time.monotonic_ns())

    async def _run(self, clock: LogTime) -> None:
        while True:
            await asyncio.sleep(REFRESH_S)
            try:
                error_ns, local_ns, shared_ns, _ = await self._read()
                clock.steer(local_ns, shared_ns, error_ns)
                await self._say(clock.ahead_ns(time.monotonic_ns()) // _NS_PER_MS)
            except LogUnavailable:
                continue

    async def _say(self, ahead_ms: int) -> None:
        if ahead_ms or self._said_ms:
            await call(self._client, "SET", _KEY, ahead_ms, "PX", KEPT_MS)
            self._said_ms = ahead_ms

    async def _read(self) -> tuple[int, int, int, int]:
        """How wrong the reading may be, our time in its middle, the shared time, how far ahead others are; in ns."""
        sent_ns = time.monotonic_ns()
        reply = await call(self._client, "EVAL", TIME.source, 1, _KEY)
        got_ns = time.monotonic_ns()
        if not isinstance(reply, list):
            raise LogUnavailable
        seconds, micros, known_ms = map(number, reply)
        shared_ns = (seconds * 1_000_000 + micros) * _NS_PER_US
        return (got_ns - sent_ns) // 2 + _SLACK_NS, (sent_ns + got_ns) // 2, shared_ns, known_ms * _NS_PER_MS
