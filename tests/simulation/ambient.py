# SPDX-License-Identifier: Apache-2.0
"""What code reaches for without being handed it - the time, random secrets, its log - replaced by simulated ones."""

from __future__ import annotations

import base64
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from random import Random
from types import ModuleType
from typing import Any, Final
from unittest import mock

import structlog

from tests.simulation.loop import PROCESS, SimLoop
from tests.simulation.redis_server import BASE_MS

SIMULATED: Final = (
    "server.cluster.",
    "server.signaling.",
    "server.runner.",
    "loadtest.",
    "holdspace_client.",
    "tests.faults.",
)
"""Modules whose time and randomness are simulated."""


class SimTime:
    """Stands for the module `time`. Each process has a clock that began at another moment and runs a little wrong."""

    def __init__(self, loop: SimLoop, seed: str) -> None:
        self._loop = loop
        self._seed = seed
        self._clocks: dict[str, tuple[float, float]] = {}

    def monotonic(self) -> float:
        """Seconds since some moment."""
        process = PROCESS.get()
        began, rate = self._clock("" if process is None else process.name)
        return began + rate * self._loop.time()

    def monotonic_ns(self) -> int:
        """The same in nanoseconds."""
        return round(self.monotonic() * 1e9)

    def perf_counter(self) -> float:
        """As `monotonic`."""
        return self.monotonic()

    def time(self) -> float:
        """The date."""
        return BASE_MS / 1000 + self._loop.time()

    def time_ns(self) -> int:
        """The same in nanoseconds."""
        return round(self.time() * 1e9)

    def _clock(self, name: str) -> tuple[float, float]:
        clock = self._clocks.get(name)
        if clock is None:
            random = Random(f"{self._seed} clock {name}")
            exact = (0.0, 1.0)
            clock = (random.uniform(0, 1e6), 1 + random.uniform(-1e-4, 1e-4)) if name else exact
            self._clocks[name] = clock
        return clock


class SimSecrets:
    """Stands for the module `secrets`; each process has a sequence of its own."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._randoms: dict[str, Random] = {}

    def _random(self) -> Random:
        process = PROCESS.get()
        name = "" if process is None else process.name
        random = self._randoms.get(name)
        if random is None:
            random = self._randoms[name] = Random(f"{self._seed} secrets {name}")
        return random

    def token_bytes(self, count: int) -> bytes:
        """Random bytes."""
        return self._random().randbytes(count)

    def token_urlsafe(self, count: int) -> str:
        """Random text."""
        return base64.urlsafe_b64encode(self.token_bytes(count)).rstrip(b"=").decode()

    def randbits(self, count: int) -> int:
        """A random number."""
        return self._random().getrandbits(count)

    def randbelow(self, limit: int) -> int:
        """A random number."""
        return self._random().randrange(limit)


@contextmanager
def ambient(loop: SimLoop, seed: str, note: Callable[[str, str], None]) -> Iterator[None]:
    """Let the code under test see this time and this randomness, and let `note` see what it logs."""
    stands_for: dict[ModuleType, Any] = {time: SimTime(loop, seed), secrets: SimSecrets(seed)}
    known = structlog.get_config()
    with ExitStack() as stack:
        for name, module in tuple(sys.modules.items()):
            if name.startswith(SIMULATED):
                for real, simulated in stands_for.items():
                    if vars(module).get(real.__name__) is real:
                        stack.enter_context(mock.patch.object(module, real.__name__, simulated))
        structlog.configure(processors=[_noting(note)], cache_logger_on_first_use=False)
        try:
            yield
        finally:
            structlog.configure(**known)


def _noting(note: Callable[[str, str], None]) -> Callable[[Any, str, Any], Any]:
    def processor(_logger: Any, _method: str, event: Any) -> Any:  # noqa: ANN401 - structlog's interface
        process = PROCESS.get()
        words = [f"{key}={value}" for key, value in sorted(event.items()) if key in ("node", "error", "code", "reason")]
        note("" if process is None else process.name, " ".join(("log", event["event"], *words)))
        raise structlog.DropEvent

    return processor
