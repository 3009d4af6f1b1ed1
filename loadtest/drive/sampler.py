# SPDX-License-Identifier: Apache-2.0
"""What each node costs, once a second: CPU and memory of its processes, what they hold, how quickly it answers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import psutil
from aiohttp import ClientError, ClientSession, ClientTimeout
from msgspec import Struct

from loadtest.drive.metrics_page import Page, lags_ms, mean_lag_ms, read_page
from loadtest.measure.nodes import NodePoint
from loadtest.measure.recorder import Recorder
from loadtest.serving import OwnServer

TIMEOUT_S: Final = 5.0
_MIB: Final = 1 << 20


class Node(Struct, frozen=True):
    """Where a node is asked how it does. `metrics_url` empty: it has no such page for us."""

    url: str
    metrics_url: str = ""


class _Cost(Struct, frozen=True):
    """What is known of a node in one second; CPU in percent of one core since the last look."""

    cpu_percent: float | None = None
    rss_mib: float | None = None
    open_files: float | None = None


class NodeProbe:
    """Looks at one node."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._used: dict[int, float] = {}
        self._at_s = 0.0
        self._page: Page | None = None
        self._page_s = 0.0
        self._passed_s = 0.0

    async def sample(self, http: ClientSession, server: OwnServer | None, second: int, recorder: Recorder) -> NodePoint:
        """Look once, and note it down. What a server of our own costs is read from its processes."""
        health_ms = await self._health(http)
        before, page = self._page, await self._metrics(http, recorder)
        cost = self._processes(server) if server is not None else self._told(before, page)
        known = (
            ("server_cpu_percent", cost.cpu_percent),
            ("server_rss_mib", cost.rss_mib),
            ("health_ms", health_ms),
        )
        for name, value in known:
            if value is not None:
                recorder.record(name, value)
        return NodePoint(
            second,
            cost.cpu_percent,
            cost.rss_mib,
            health_ms,
            cost.open_files,
            None if page is None else page.tasks,
            None if page is None or before is None else mean_lag_ms(before, page),
            None if page is None else page.started_s,
        )

    def _processes(self, server: OwnServer) -> _Cost:
        """Of the node and its media workers."""
        if server.process.returncode is not None:
            self._used.clear()
            return _Cost()
        used: dict[int, float] = {}
        rss = files = 0
        with suppress(psutil.NoSuchProcess):
            node = psutil.Process(server.process.pid)
            for process in (node, *node.children(recursive=True)):
                with suppress(psutil.NoSuchProcess):
                    times = process.cpu_times()
                    used[process.pid] = times.user + times.system
                    rss += process.memory_info().rss
                    files += process.num_fds()
        before, self._used = self._used, used
        now_s = time.monotonic()
        passed_s, self._at_s = now_s - self._at_s, now_s
        if not used:
            return _Cost()
        more = sum(seconds - before.get(pid, 0.0) for pid, seconds in used.items())
        return _Cost(100 * more / passed_s if before else None, rss / _MIB, files)

    async def _metrics(self, http: ClientSession, recorder: Recorder) -> Page | None:
        """What the node tells itself; how late its loop was since the last look is noted down."""
        body = await _get(http, self._node.metrics_url) if self._node.metrics_url else None
        before, page = self._page, None if body is None else read_page(body)
        now_s = time.monotonic()
        self._passed_s, self._page, self._page_s = now_s - self._page_s, page, now_s
        if before is not None and page is not None:
            for lag_ms, times in lags_ms(before, page):
                for _ in range(times):
                    recorder.record("server_loop_lag_ms", lag_ms)
        return page

    def _told(self, before: Page | None, page: Page | None) -> _Cost:
        """Of the signaling process alone, as it tells it itself."""
        if page is None:
            return _Cost()
        rss = None if page.rss_bytes is None else page.rss_bytes / _MIB
        if before is None or page.cpu_s is None or before.cpu_s is None:
            return _Cost(None, rss, page.open_files)
        return _Cost(100 * max(0.0, page.cpu_s - before.cpu_s) / self._passed_s, rss, page.open_files)

    async def _health(self, http: ClientSession) -> float | None:
        began_s = time.monotonic()
        if await _get(http, f"{self._node.url}/healthz") is None:
            return None
        return 1_000 * (time.monotonic() - began_s)


async def _get(http: ClientSession, url: str) -> bytes | None:
    """The body, or None from a server that does not answer or has no such page."""
    try:
        async with http.get(url, timeout=ClientTimeout(total=TIMEOUT_S)) as answer:
            body = await answer.read()
            return body if answer.ok else None
    except (ClientError, TimeoutError, OSError):
        return None


class MachineProbe:
    """How busy this machine is with what does not belong to the test."""

    def __init__(self) -> None:
        self._own: dict[int, float] = {}
        self._busy_s = self._at_s = 0.0

    def sample(self, recorder: Recorder) -> None:
        """Look once, and note it down: servers, generators and whatever else we started are our own."""
        times = psutil.cpu_times()
        busy_s, now_s = sum(times) - times.idle - getattr(times, "iowait", 0.0), time.monotonic()
        own: dict[int, float] = {}
        us = psutil.Process()
        for process in (us, *us.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                used = process.cpu_times()
                own[process.pid] = used.user + used.system
        if self._own:
            ours_s = sum(seconds - self._own.get(pid, 0.0) for pid, seconds in own.items())
            others_s = max(0.0, busy_s - self._busy_s - ours_s)
            recorder.record("other_cpu_percent", 100 * others_s / (now_s - self._at_s))
        self._own, self._busy_s, self._at_s = own, busy_s, now_s


async def sample_all(
    probes: Sequence[NodeProbe],
    http: ClientSession,
    servers: Sequence[OwnServer | None],
    second: int,
    recorder: Recorder,
) -> list[NodePoint]:
    """Of every node, one after the other: they take well below a second together."""
    return [await probe.sample(http, server, second, recorder) for probe, server in zip(probes, servers, strict=True)]
