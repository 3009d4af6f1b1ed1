# SPDX-License-Identifier: Apache-2.0
"""Two servers behind the proxies of deploy/: over HTTPS, and on while one of them drains."""

from __future__ import annotations

import re
import subprocess
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio
from aiohttp import ClientConnectionError, ClientSession
from socketio.exceptions import ConnectionError as ConnectionRefused

from server.app import Server
from server.errors import DisconnectCode
from server.ids import RoomId
from server.rooms.commands import SendChat
from server.rooms.state import Role
from tests.cluster.servers import redis_server
from tests.deploy.tools import DEPLOY, free_port, running, tool, until
from tests.signaling.clients import Person, Refused, config, fresh_room, plain, token

pytestmark = pytest.mark.asyncio(loop_scope="module")

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


def caddy(folder: Path, port: int, servers: list[Server]) -> AbstractAsyncContextManager[Path]:
    """Debian's, with the file as it is: what has to be changed comes from the environment."""
    (folder / "Caddyfile").write_text(f"{ALONE}import {DEPLOY}/proxy/Caddyfile\n")
    environment = {
        "HOLDSPACE_SITE": f"https://localhost:{port}",
        "HOLDSPACE_SERVERS": " ".join(f"127.0.0.1:{server.port}" for server in servers),
        "XDG_DATA_HOME": str(folder / "data"),
        "XDG_CONFIG_HOME": str(folder / "config"),
    }
    command = (tool("caddy"), "run", "--config", "Caddyfile", "--adapter", "caddyfile")
    return running(folder, *command, environment=environment)


def nginx(folder: Path, port: int, servers: list[Server]) -> AbstractAsyncContextManager[Path]:
    """Debian's, with the file as it is but for the lines below `CHANGE`, and the port."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subject = ("-subj", "/CN=localhost", "-days", "1", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
    subprocess.run(
        ["openssl", "req", "-x509", *subject, "-keyout", key, "-out", certificate], check=True, capture_output=True
    )
    text = (DEPLOY / "proxy" / "nginx.conf").read_text()
    upstream = re.search(r"\n *server 127\.0\.0\.1:8080(.*);", text)
    assert upstream is not None
    lines = "".join(f"\n    server 127.0.0.1:{server.port}{upstream[1]};" for server in servers)
    changes = {
        upstream[0]: lines,
        "listen 443 ": f"listen 127.0.0.1:{port} ",
        "/etc/letsencrypt/live/groups.example.org/fullchain.pem": str(certificate),
        "/etc/letsencrypt/live/groups.example.org/privkey.pem": str(key),
    }
    for before, after in changes.items():
        assert text.count(before) == 1
        text = text.replace(before, after)
    places = "".join(f"{name}_temp_path {folder};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    whole = f"pid {folder}/pid; daemon off; events {{}} http {{ access_log off; {places}\n{text}}}\n"
    (folder / "nginx.conf").write_text(whole)
    return running(folder, tool("nginx"), "-p", str(folder), "-e", "stderr", "-c", "nginx.conf")


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=[caddy, nginx], ids=["caddy", "nginx"])
async def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """Two servers on one Redis, and a proxy that knows both; one of them drains in the last test."""
    tmp_path = tmp_path_factory.mktemp("site")
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(redis_server("redis"))
        servers = [
            await stack.enter_async_context(Server(config(tmp_path / name, redis=redis.url))) for name in ("a", "b")
        ]
        port, folder = free_port(), tmp_path / "proxy"
        folder.mkdir()
        await stack.enter_async_context(request.param(folder, port, servers))
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


async def test_each_header_is_passed_on_once() -> None:
    """A header is sent as often as nginx is told to: said twice, it is there twice."""
    told = re.findall(r"proxy_set_header (\S+)", (DEPLOY / "proxy" / "nginx.conf").read_text())
    assert sorted(set(told)) == sorted(told)


async def test_a_request_has_one_id(site: Site) -> None:
    """That of the proxy; what a stranger calls it does not get through."""
    given = "0" * 16
    headers = {"X-Request-Id": given}
    async with ClientSession() as http, http.get(f"{site.url}/healthz", ssl=False, headers=headers) as answer:
        kept = answer.headers["X-Request-Id"]
    assert len(kept) in {32, 36}
    assert kept != given


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
        await person.close()
        return None
