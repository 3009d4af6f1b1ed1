# SPDX-License-Identifier: Apache-2.0
"""What each node costs, once a second: CPU and memory of its processes, and how quickly it answers /healthz."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import psutil
from aiohttp import ClientError, ClientSession, ClientTimeout

from loadtest.measure.nodes import NodePoint
from loadtest.measure.recorder import Recorder
from loadtest.serving import OwnServer

TIMEOUT_S: Final = 5.0
_MIB: Final = 1 << 20


class NodeProbe:
    """Looks at one node."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._used: dict[int, float] = {}
        self._at_s = 0.0

    async def sample(self, http: ClientSession, server: OwnServer | None, second: int, recorder: Recorder) -> NodePoint:
        """Look once, and note it down."""
        cpu, rss = self._process(server)
        health_ms = await self._health(http)
        for name, value in (("server_cpu_percent", cpu), ("server_rss_mib", rss), ("health_ms", health_ms)):
            if value is not None:
                recorder.record(name, value)
        return NodePoint(second, cpu, rss, health_ms)

    def _process(self, server: OwnServer | None) -> tuple[float | None, float | None]:
        """CPU since the last look (percent of one core) and memory now, of the node and its media workers."""
        if server is None or server.process.returncode is not None:
            self._used.clear()
            return None, None
        used: dict[int, float] = {}
        rss = 0
        with suppress(psutil.NoSuchProcess):
            node = psutil.Process(server.process.pid)
            for process in (node, *node.children(recursive=True)):
                with suppress(psutil.NoSuchProcess):
                    times = process.cpu_times()
                    used[process.pid] = times.user + times.system
                    rss += process.memory_info().rss
        before, self._used = self._used, used
        now_s = time.monotonic()
        passed_s, self._at_s = now_s - self._at_s, now_s
        if not before or not used:
            return None, rss / _MIB if used else None
        more = sum(seconds - before.get(pid, 0.0) for pid, seconds in used.items())
        return 100 * more / passed_s, rss / _MIB

    async def _health(self, http: ClientSession) -> float | None:
        began_s = time.monotonic()
        try:
            async with http.get(f"{self.url}/healthz", timeout=ClientTimeout(total=TIMEOUT_S)) as answer:
                await answer.read()
        except (ClientError, TimeoutError, OSError):
            return None
        return 1_000 * (time.monotonic() - began_s)


async def sample_all(
    probes: Sequence[NodeProbe],
    http: ClientSession,
    servers: Sequence[OwnServer | None],
    second: int,
    recorder: Recorder,
) -> list[NodePoint]:
    """Of every node, one after the other: they take well below a second together."""
    return [await probe.sample(http, server, second, recorder) for probe, server in zip(probes, servers, strict=True)]
