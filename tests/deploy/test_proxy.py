# SPDX-License-Identifier: Apache-2.0
"""Two servers behind the Caddy of deploy/: over HTTPS, and on while one of them drains."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import pytest
from aiohttp import ClientConnectionError, ClientSession
from socketio.exceptions import ConnectionError as ConnectionRefused

from loadtest.serving import free_port
from server.app import Server
from server.errors import DisconnectCode
from server.ids import RoomId
from server.rooms.commands import SendChat
from server.rooms.state import Role
from tests.cluster.servers import redis_server
from tests.deploy.tools import DEPLOY, running, tool, until
from tests.signaling.clients import Person, Refused, config, fresh_room, plain, token

ALONE: Final = "{\n\tadmin off\n\tauto_https disable_redirects\n\tskip_install_trust\n}\n"
"""Global options: this Caddy touches nothing of the machine."""


class Site:
    """The address of a proxy, and the servers behind it."""

    def __init__(self, url: str, servers: list[Server]) -> None:
        self.url = url
        self.servers = servers

    def person(self, room: RoomId) -> Person:
        """Somebody who comes by way of the proxy, and takes the certificate that it made for itself."""
        return Person(self.url, room, ssl_verify=False)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """Two servers on one Redis, and a Caddy that knows both."""
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(redis_server("redis"))
        servers = [
            await stack.enter_async_context(Server(config(tmp_path / name, redis=redis.url))) for name in ("a", "b")
        ]
        port, folder = free_port(), tmp_path / "caddy"
        folder.mkdir()
        (folder / "Caddyfile").write_text(f"{ALONE}import {DEPLOY}/proxy/Caddyfile\n")
        environment = {
            "HOLDSPACE_SITE": f"https://localhost:{port}",
            "HOLDSPACE_SERVERS": " ".join(f"127.0.0.1:{server.port}" for server in servers),
            "XDG_DATA_HOME": str(folder / "data"),
            "XDG_CONFIG_HOME": str(folder / "config"),
        }
        command = (tool("caddy"), "run", "--config", "Caddyfile", "--adapter", "caddyfile")
        await stack.enter_async_context(running(folder, *command, environment=environment))
        site = Site(f"https://localhost:{port}", servers)
        await until(lambda: answers(site.url))
        yield site


async def answers(url: str) -> bool:
    """Whether the proxy leads to a server that takes people."""
    try:
        async with ClientSession() as http, http.get(f"{url}/readyz", ssl=False) as answer:
            return answer.ok
    except ClientConnectionError:
        return False


async def test_people_meet_over_https(site: Site) -> None:
    """WebSockets pass, in both directions, whichever server they come to."""
    room = fresh_room()
    ann = await site.person(room).join("ann", Role.MODERATOR)
    ben = await site.person(room).join("ben")
    await ann.do(SendChat("hello"))
    await ben.until(lambda: any(message.text == "hello" for chat in ben.view.chat.values() for message in chat))
    await ann.close()
    await ben.close()


async def test_who_is_sent_away_by_a_draining_server_comes_back_to_the_other(site: Site) -> None:
    """The proxy leads back to where there is a seat, in the same room."""
    room = fresh_room()
    ann = await site.person(room).join("ann", Role.MODERATOR)
    first = next(server for server in site.servers if server.gateway.connections)
    first.drain()
    await ann.until(lambda: ann.gone)
    assert ann.disconnecting == DisconnectCode.SERVER_RESTARTING
    back = await until(lambda: returned(site, ann))
    assert back is not None
    assert back.welcome.room == room
    assert first.gateway.connections == 0
    await back.close()
    await ann.close()


async def returned(site: Site, earlier: Person) -> Person | None:
    """The same person, if the proxy led them to a server that takes people."""
    person = site.person(earlier.room)
    person.mirror = earlier.mirror
    try:
        return await person.connect(token=token(earlier.room, "ann", Role.MODERATOR), resume=plain(earlier.resume()))
    except (ConnectionRefused, Refused):
        return None
