# SPDX-License-Identifier: Apache-2.0
"""The whole product behind a wall: page, signaling and media of two people who can reach TCP ports only."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright

from loadtest.serving import free_port
from tests.e2e.person import AUTOPLAY, FLAGS, Person
from tests.e2e.serving import Server
from tests.reach.relay import SECRET, coturn
from tests.reach.wall import TOOLS, House, require, walled

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

WAY = """async () => {
  const all = await window.__watch.peers.at(-1).getStats();
  for (const pair of all.values()) {
    if (pair.type === 'candidate-pair' && pair.nominated && pair.state === 'succeeded') {
      const local = all.get(pair.localCandidateId), remote = all.get(pair.remoteCandidateId);
      return [local.candidateType, local.relayProtocol ?? '', remote.protocol, remote.candidateType];
    }
  }
  return [];
}"""


@asynccontextmanager
async def browser_in(house: House, origin: str, folder: Path) -> AsyncIterator[Browser]:
    """Chromium behind the wall, with cameras allowed on the pages of this server."""
    program = str(house.program("/usr/bin/chromium", folder))
    flags = [*FLAGS, AUTOPLAY, f"--unsafely-treat-insecure-origin-as-secure={origin}"]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=flags)
        yield browser
        await browser.close()


async def meeting(server: Server, browser: Browser, origin: str) -> list[list[str]]:
    """Two people join, see and hear each other; the ways their media takes."""
    people = [await Person.create(browser, name) for name in ("Moderator", "Ana")]
    for person, role in zip(people, ("moderator", "participant"), strict=True):
        token = await server.token("wall", role, person.name, "--public-url", origin)
        await person.open(token["url"])
        await person.join()
        await person.in_room()
    for person, other in zip(people, reversed(people), strict=True):
        await person.sees_exactly({other.name})
        await person.hears_exactly({other.name})
    return [await person.page.evaluate(WAY) for person in people]


@pytest.mark.parametrize("relayed", [True, False], ids=["coturn", "our TCP port"])
async def test_people_behind_a_wall_meet(tmp_path: Path, relayed: bool) -> None:
    """Through a relay whose credentials came with Welcome, or through our own TCP port: nothing else is open."""
    require(*TOOLS)
    turn, media = free_port(), free_port()
    secret = tmp_path / "turn-secret"
    secret.write_text(SECRET)
    pages = free_port()
    with walled(pages, turn if relayed else media) as house:
        origin = f"http://{house.outside}:{pages}"
        options = ("--host", "0.0.0.0", "--media-listen", house.outside, "--auto-admit")  # noqa: S104
        relay = ("--turn-urls", f"turn:{house.outside}:{turn}?transport=tcp", "--turn-secret-file", str(secret))
        server = Server(tmp_path, *options, *(relay if relayed else ("--media-tcp-port", str(media))), port=pages)
        async with (
            coturn(house.outside, turn, tmp_path, house.outside),
            server,
            browser_in(house, origin, tmp_path) as browser,
        ):
            found = await meeting(server, browser, origin)
        log = server.log.read_text()
    for local, relayed_by, protocol, _ in found:
        assert (local == "relay", relayed_by, protocol) == ((True, "tcp", "udp") if relayed else (False, "", "tcp"))
    assert SECRET not in log
    assert "turn:" not in log


@pytest.mark.slow
async def test_two_people_behind_walls_meet_through_the_relay_alone(tmp_path: Path) -> None:
    """A 1:1 room that hides addresses: from relay to relay, past the server; neither learns where they are."""
    require(*TOOLS)
    turn, pages = free_port(), free_port()
    secret = tmp_path / "turn-secret"
    secret.write_text(SECRET)
    with walled(pages, turn) as house:
        origin = f"http://{house.outside}:{pages}"
        options = ("--host", "0.0.0.0", "--media-mode", "mesh_relay", "--capacity", "2", "--auto-admit")  # noqa: S104
        relay = ("--turn-urls", f"turn:{house.outside}:{turn}?transport=tcp", "--turn-secret-file", str(secret))
        async with (
            coturn(house.outside, turn, tmp_path, house.outside),
            Server(tmp_path, *options, *relay, port=pages) as server,
            browser_in(house, origin, tmp_path) as browser,
        ):
            found = await meeting(server, browser, origin)
    assert found == [["relay", "tcp", "udp", "relay"]] * 2
