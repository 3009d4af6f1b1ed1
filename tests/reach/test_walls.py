# SPDX-License-Identifier: Apache-2.0
"""Real Chromium in unfriendly networks: without UDP, with nothing but TCP 443, and with IPv6 alone."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.async_api import Page

from loadtest.serving import free_port
from server.ids import ParticipantId
from server.media.supervisor import WorkerOptions
from server.signaling.relays import Relays
from tests.media.browser import ROOM, Studio, figures, studio
from tests.reach.authority import certified
from tests.reach.relay import SECRET, coturn
from tests.reach.wall import TOOLS, House, require, walled

pytestmark = pytest.mark.e2e

FRAMES = 30


async def talk(made: Studio) -> list[dict[str, Any]]:
    """Two people see and hear each other; the ways their media takes."""
    pages = [await made.join(name) for name in ("ana", "bo")]
    made.route((("ana", "bo"), ("ana", "bo"), ("ana", "bo")))
    for page in pages:
        await until_shown(page)
    return [await page.evaluate("route()") for page in pages]


async def until_shown(page: Page, seconds: float = 60.0) -> None:
    """Frames are decoded, and sound is heard."""
    deadline = time.monotonic() + seconds
    while True:
        found = await figures(page)
        inbound = found["inbound"]
        frames = sum(stream["frames"] or 0 for stream in inbound if stream["kind"] == "video")
        energy = sum(stream["energy"] or 0 for stream in inbound if stream["kind"] == "audio")
        if frames > FRAMES and energy > 0:
            return
        assert time.monotonic() < deadline, found
        await page.wait_for_timeout(100)


def no_udp(house: House) -> None:
    """The wall stands: not one datagram gets out of the house."""
    with (
        house.end.inside(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock,
        pytest.raises(PermissionError),
    ):
        sock.sendto(b"out", (house.outside, 9))


async def test_chromium_behind_a_wall_talks_through_coturn(tmp_path: Path) -> None:
    """Only the page's port and the relay's TCP port are open; the credentials are those that Welcome carries."""
    require(*TOOLS)
    pages, turn = free_port(), free_port()
    with walled(pages, turn) as house:
        no_udp(house)
        relays = Relays((f"turn:{house.outside}:{turn}?transport=tcp",), SECRET)
        (server,) = relays.servers(ROOM, ParticipantId("ana"))
        servers = {"urls": list(server.urls), "username": server.username, "credential": server.credential}
        async with (
            coturn(house.outside, turn, tmp_path, house.outside),
            studio(
                program=str(house.program("/usr/bin/chromium", tmp_path)),
                host=house.outside,
                port=pages,
                options=WorkerOptions(addresses=(house.outside,)),
                configuration={"iceServers": [servers]},
            ) as made,
        ):
            ways = await talk(made)
    assert [(way["local"], way["relay"], way["protocol"]) for way in ways] == [("relay", "tcp", "udp")] * 2


async def test_chromium_behind_a_wall_talks_over_our_tcp_port(tmp_path: Path) -> None:
    """ICE-TCP (RFC 6544): no relay is needed where one TCP port of the server can be reached."""
    require("ip", "nft", "chromium")
    pages, media = free_port(), free_port()
    with walled(pages, media) as house:
        no_udp(house)
        async with studio(
            program=str(house.program("/usr/bin/chromium", tmp_path)),
            host=house.outside,
            port=pages,
            options=WorkerOptions(addresses=(house.outside,), tcp_port=media),
        ) as made:
            ways = await talk(made)
    assert [(way["local"], way["protocol"]) for way in ways] in ([("prflx", "tcp")] * 2, [("host", "tcp")] * 2)


HTTPS: Final = 443


@pytest.mark.slow
async def test_chromium_talks_through_tls_on_443(tmp_path: Path) -> None:
    """The strictest firewall: what leaves is TCP to 443, and what is in it looks like HTTPS. `turns:` of coturn."""
    require(*TOOLS)
    with walled(HTTPS) as house:
        no_udp(house)
        tls = certified(house.also, tmp_path)
        relays = Relays((f"turns:{house.also}:{HTTPS}?transport=tcp",), SECRET)
        (server,) = relays.servers(ROOM, ParticipantId("ana"))
        servers = {"urls": list(server.urls), "username": server.username, "credential": server.credential}
        async with (
            coturn(house.also, HTTPS, tmp_path, house.outside, tls=tls),
            studio(
                program=str(house.program("/usr/bin/chromium", tmp_path)),
                host=house.outside,
                port=HTTPS,
                options=WorkerOptions(addresses=(house.outside,)),
                configuration={"iceServers": [servers]},
                flags=(tls.flag,),
            ) as made,
        ):
            ways = await talk(made)
    assert [(way["local"], way["relay"], way["protocol"]) for way in ways] == [("relay", "tls", "udp")] * 2


@pytest.mark.slow
async def test_chromium_talks_over_ipv6(tmp_path: Path) -> None:
    """A network that knows no other: the page, the candidate and all media."""
    require("ip", "nft", "chromium")
    pages = free_port()
    with walled(pages, version=6, udp=True) as house:
        async with studio(
            program=str(house.program("/usr/bin/chromium", tmp_path)),
            host=house.outside,
            port=pages,
            options=WorkerOptions(addresses=(house.outside,)),
        ) as made:
            ways = await talk(made)
    assert [(way["protocol"], way["address"]) for way in ways] == [("udp", house.outside)] * 2
