# SPDX-License-Identifier: Apache-2.0
"""What compose.yaml starts, as processes of this machine instead of containers: the same words, other ports."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Final

import pytest
import yaml
from aiohttp import ClientConnectionError, ClientSession

from server.rooms.commands import SendChat
from server.rooms.state import Role
from tests.cluster.servers import redis_server
from tests.deploy.test_compose import OPERATORS, SERVERS, SERVICES
from tests.deploy.tools import DEPLOY, free_port, running, tool, until
from tests.signaling.clients import SECRET, Person, fresh_room

HOLDSPACE: Final = Path(sys.executable).with_name("holdspace")
ALONE: Final = "{\n\tadmin off\n\tauto_https disable_redirects\n\tskip_install_trust\n}\n"


class Composed:
    """All of it, running."""

    def __init__(self, site: str, prometheus: str) -> None:
        self.site = site
        self.prometheus = prometheus

    async def ask(self, query: str) -> list[str]:
        """The values of an answer of Prometheus; none while it starts."""
        try:
            async with (
                ClientSession() as http,
                http.get(f"{self.prometheus}/api/v1/query", params={"query": query}) as answer,
            ):
                return [each["value"][1] for each in (await answer.json())["data"]["result"]] if answer.ok else []
        except ClientConnectionError:
            return []

    async def ready(self) -> bool:
        """Whether the proxy leads to a server that takes people."""
        try:
            async with ClientSession() as http, http.get(f"{self.site}/readyz", ssl=False) as answer:
                return answer.ok
        except ClientConnectionError:
            return False


class Places:
    """Where the names of services lead on this machine."""

    def __init__(self, folder: Path, valkey: str) -> None:
        self.folder = folder
        self.redis = valkey
        self.ports = {f"{name}:{port}": free_port() for name in SERVERS for port in ("8080", OPERATORS)}

    def text(self, text: str) -> str:
        """With places of this machine in place of those between containers."""
        text = text.replace("redis://valkey:6379", self.redis).replace("/run/secrets", str(self.folder))
        return re.sub(r"\b([abc]:\d+)\b", lambda found: f"127.0.0.1:{self.ports[found[1]]}", text)

    def server(self, name: str) -> dict[str, str]:
        """The environment of a server; no two can have the same port here."""
        given = {key: self.text(value) for key, value in SERVICES[name]["environment"].items()}
        return given | {
            "PATH": os.environ["PATH"],
            "HOLDSPACE_PORT": str(self.ports[f"{name}:8080"]),
            "HOLDSPACE_OPS_PORT": str(self.ports[f"{name}:{OPERATORS}"]),
            "HOLDSPACE_OPS_HOST": "127.0.0.1",
            "HOLDSPACE_MEDIA_PORT": str(free_port()),
        }


@pytest.fixture
async def composed(tmp_path: Path) -> AsyncIterator[Composed]:
    """Valkey, three servers, Caddy and Prometheus, started by the words of the file."""
    (tmp_path / "api_secret").write_text(SECRET)
    (tmp_path / "turn_secret").write_text("t" * 40)
    (command,) = re.findall(r"(?m)^CMD (\[.*\])$", (DEPLOY / "Dockerfile").read_text())
    async with AsyncExitStack() as stack:
        options = SERVICES["valkey"]["command"][1:]
        valkey = await stack.enter_async_context(redis_server("valkey", args=options))
        places = Places(tmp_path, valkey.url)
        for name in ("caddy", "prometheus", *SERVERS):
            (tmp_path / name).mkdir()
        for name in SERVERS:
            words = (str(HOLDSPACE), *json.loads(command))
            await stack.enter_async_context(running(tmp_path / name, *words, environment=places.server(name)))
        port = free_port()
        environment = {key: places.text(value) for key, value in SERVICES["caddy"]["environment"].items()}
        environment |= {"HOLDSPACE_SITE": f"https://localhost:{port}", "XDG_DATA_HOME": str(tmp_path / "caddy")}
        (tmp_path / "caddy" / "Caddyfile").write_text(f"{ALONE}import {DEPLOY}/proxy/Caddyfile\n")
        words = (tool("caddy"), "run", "--config", "Caddyfile", "--adapter", "caddyfile")
        await stack.enter_async_context(running(tmp_path / "caddy", *words, environment=environment))
        settings = yaml.safe_load(places.text((DEPLOY / "prometheus" / "compose.yml").read_text()))
        settings["rule_files"] = [str(DEPLOY / "prometheus" / "holdspace.rules.yml")]
        settings["global"] = {"scrape_interval": "500ms", "evaluation_interval": "500ms"}
        (tmp_path / "prometheus" / "prometheus.yml").write_text(yaml.safe_dump(settings))
        watching = free_port()
        home = str(tmp_path / "prometheus")
        options = [re.sub(r"=(/etc)?/prometheus", f"={home}", word) for word in SERVICES["prometheus"]["command"]]
        words = (tool("prometheus"), *options, f"--web.listen-address=127.0.0.1:{watching}")
        await stack.enter_async_context(running(tmp_path / "prometheus", *words))
        composed = Composed(f"https://localhost:{port}", f"http://127.0.0.1:{watching}")
        await until(composed.ready)
        yield composed


def has_read(person: Person, text: str) -> bool:
    """Whether this is in their chat."""
    return any(message.text == text for chat in person.view.chat.values() for message in chat)


async def knows_all(composed: Composed) -> bool:
    """Whether each server knows the two others, and is watched."""
    return await composed.ask("holdspace_nodes") == ["3"] * len(SERVERS)


@pytest.mark.slow
async def test_it_is_one_system(composed: Composed) -> None:
    """Three servers know each other, Prometheus sees all, and people meet over HTTPS whichever they come to."""
    await until(lambda: knows_all(composed))
    assert await composed.ask("up") == ["1"] * len(SERVERS)
    room = fresh_room()
    people = [Person(composed.site, room, ssl_verify=False) for _ in SERVERS]
    for person, name in zip(people, ("ann", "ben", "cleo"), strict=True):
        await person.join(name, Role.MODERATOR)
    await people[0].do(SendChat("hello"))
    for person in people:
        await person.until(partial(has_read, person, "hello"))
        await person.close()
