# SPDX-License-Identifier: Apache-2.0
"""Debian's Firefox under Playwright, over WebDriver BiDi.

Playwright sends one command to every new page that the extended support release does not know yet. Run as a program
(`python -m tests.e2e.firefox ARGUMENTS`), this file is the browser that Playwright starts: it starts the real one, and
stands between the two to answer that command itself. No test depends on what the command would do.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import aiohttp
from aiohttp import web
from playwright.async_api import Browser, Playwright

FIREFOX: Final = "/usr/bin/firefox-esr"
UNKNOWN: Final = frozenset({"emulation.setMediaFeaturesOverride"})
_LISTENING: Final = re.compile(rb"WebDriver BiDi listening on (ws://127\.0\.0\.1:(\d+))")
_MAX_MESSAGE: Final = 64 << 20

PREFERENCES: Final[dict[str, str | float | bool]] = {
    "media.navigator.permission.disabled": True,
    "media.peerconnection.ice.obfuscate_host_addresses": False,
    "media.autoplay.default": 0,
    "dom.disable_open_during_load": False,
}
"""Devices without a question, and sound without a press."""


@asynccontextmanager
async def running(playwright: Playwright, folder: Path) -> AsyncIterator[Browser]:
    """A headless Firefox that can hear; `folder` takes what it needs to start."""
    script = folder / "firefox"
    script.write_text(f'#!/bin/sh\ncd "{Path.cwd()}" && exec "{sys.executable}" -m tests.e2e.firefox "$@"\n')
    script.chmod(0o755)
    async with _loudspeaker(folder) as server:
        browser = await playwright.firefox.launch(
            channel="moz-firefox",
            executable_path=script,
            firefox_user_prefs=PREFERENCES,
            env={**os.environ, "PULSE_SERVER": server},
        )
        yield browser
        await browser.close()


@asynccontextmanager
async def _loudspeaker(folder: Path) -> AsyncIterator[str]:
    """A sound server with an output that nobody hears: without any, this browser's AudioContext never starts."""
    socket = folder / "sound"
    process = await asyncio.create_subprocess_exec(
        *("pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--log-level=error"),
        "--load=module-null-sink",
        f"--load=module-native-protocol-unix socket={socket} auth-anonymous=1",
        env={**os.environ, "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)},
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(10):
            while not socket.is_socket():  # noqa: ASYNC110 - another process makes it
                await asyncio.sleep(0.05)
        yield f"unix:{socket}"
    finally:
        process.terminate()
        await process.wait()


class Between:
    """The BiDi endpoint that Playwright sees."""

    def __init__(self, browser: str) -> None:
        self._browser = browser

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        """One connection of Playwright, and one to the browser."""
        ours = web.WebSocketResponse(max_msg_size=_MAX_MESSAGE)
        await ours.prepare(request)
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(self._browser + request.path, max_msg_size=_MAX_MESSAGE) as theirs,
        ):
            back = asyncio.create_task(_pump(theirs, ours))
            async for message in ours:
                answer = _answer(message.data)
                await (theirs.send_str(message.data) if answer is None else ours.send_str(answer))
            await theirs.close()
            await back
        return ours


async def _pump(theirs: aiohttp.ClientWebSocketResponse, ours: web.WebSocketResponse) -> None:
    async for message in theirs:
        with suppress(ConnectionError):
            await ours.send_str(message.data)
    await ours.close()


def _answer(text: str) -> str | None:
    """Success for a command that this browser does not know; None: it shall answer itself."""
    command: dict[str, Any] = json.loads(text)
    if command.get("method") not in UNKNOWN:
        return None
    return json.dumps({"type": "success", "id": command["id"], "result": {}})


async def _main(arguments: list[str]) -> int:
    process = await asyncio.create_subprocess_exec(FIREFOX, *arguments, stderr=asyncio.subprocess.PIPE)
    assert process.stderr is not None
    runner: web.AppRunner | None = None
    async for line in process.stderr:
        found = _LISTENING.search(line)
        if found is not None and runner is None:
            runner, port = await _serve(found[1].decode())
            line = line.replace(found[2], str(port).encode())  # noqa: PLW2901 - what Playwright reads
        os.write(2, line)
    if runner is not None:
        await runner.cleanup()
    return await process.wait()


async def _serve(browser: str) -> tuple[web.AppRunner, int]:
    app = web.Application()
    app.router.add_get("/{path:.*}", Between(browser).handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return runner, int(runner.addresses[0][1])


if __name__ == "__main__":
    sys.exit(asyncio.run(_main(sys.argv[1:])))
