# SPDX-License-Identifier: Apache-2.0
"""Debian's coturn, started with the configuration that we hand to operators."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from loadtest.serving import free_port
from tests.reach.authority import Certified

CONFIGURATION: Final = Path(__file__).parents[2] / "deploy" / "turnserver.conf"
SECRET: Final = "a secret that only this test and its relay know"


@asynccontextmanager
async def coturn(
    host: str, port: int, folder: Path, *allowed: str, tls: Certified | None = None
) -> AsyncIterator[None]:
    """A relay on `host` that reaches the `allowed` addresses only; what operators have to change is in options.

    With `tls` nothing but TLS is spoken on `port`.
    """
    options = [f"--listening-ip={host}", f"--relay-ip={host}"]
    if tls is None:
        options += [f"--listening-port={port}", "--no-tls"]
    else:
        options += [f"--tls-listening-port={port}", f"--cert={tls.certificate}", f"--pkey={tls.key}"]
        options += [f"--listening-port={free_port()}", "--no-udp", "--no-tcp"]
    options += [f"--static-auth-secret={SECRET}", f"--pidfile={folder / 'turn.pid'}", f"--userdb={folder / 'turn.db'}"]
    options += [f"--allowed-peer-ip={address}" for address in allowed]
    with (folder / "turn.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            "turnserver", "-c", str(CONFIGURATION), *options, cwd=folder, stdout=log, stderr=log
        )
    try:
        async with asyncio.timeout(15):
            while not await _listens(host, port):
                if process.returncode is not None:
                    raise RuntimeError(f"coturn ended with {process.returncode}:\n{(folder / 'turn.log').read_text()}")
                await asyncio.sleep(0.05)
        yield
    finally:
        process.terminate()
        await process.wait()


async def _listens(host: str, port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True
