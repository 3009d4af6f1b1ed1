# SPDX-License-Identifier: Apache-2.0
"""Programs of Debian that the files in deploy/ are for, as `scripts/operations` fetches them."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, TypeVar

T = TypeVar("T")

PATIENCE_S: Final = 90.0
"""For programs that start beside ten others."""
ROOT: Final = Path(__file__).parents[2]
DEPLOY: Final = ROOT / "deploy"


def tool(name: str) -> str:
    """The path of a program."""
    for folder in ("bin", "sbin"):
        path = ROOT / ".venv" / "tools" / "usr" / folder / name
        if path.exists():
            return str(path)
    raise FileNotFoundError(f"{name} is missing: run scripts/operations")


def free_port() -> int:
    """A port for a program that binds it a moment later: none of those that the system gives to connections."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@asynccontextmanager
async def running(folder: Path, *command: str, environment: dict[str, str] | None = None) -> AsyncIterator[Path]:
    """A program that runs until the block ends; what it writes is in the file that is returned."""
    log = folder / "log"
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=folder, stdout=out, stderr=out, env={"HOME": str(folder), **(environment or {})}
        )
    try:
        yield log
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def until(look: Callable[[], Awaitable[T]]) -> T:
    """What another program says, as soon as that is something true."""
    async with asyncio.timeout(PATIENCE_S):
        while not (found := await look()):  # noqa: ASYNC110 - it has to be asked
            await asyncio.sleep(0.2)
        return found
