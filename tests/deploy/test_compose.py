# SPDX-License-Identifier: Apache-2.0
"""compose.yaml and the Dockerfile, as far as they can be tried without an engine: each word leads somewhere."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from aioice.stun import TransactionFailed
from aioice.turn import TurnClientTcpProtocol

from server.cli import app
from server.config import SETTING_NAMES
from server.ids import ParticipantId, RoomId
from server.signaling.relays import Relays
from tests.cluster.servers import redis_server
from tests.deploy.tools import DEPLOY, ROOT, free_port, running, tool, until

COMPOSE: Final = DEPLOY / "compose.yaml"
GIVEN: Final = {"HOLDSPACE_NAME": "groups.example.org", "HOLDSPACE_ADDRESS": "203.0.113.7"}
SERVERS: Final = ("a", "b", "c")
HOLDSPACE: Final = Path(sys.executable).with_name("holdspace")
OPERATORS: Final = "9464"


def resolved(text: str) -> str:
    """As Compose fills in `${NAME}`, `${NAME:?why}` and `$$`."""
    filled = re.sub(r"(?<!\$)\$\{(\w+)(?::\?[^}]*)?\}", lambda found: GIVEN[found[1]], text)
    return filled.replace("$$", "$")


PLAN: Final[dict[str, Any]] = yaml.safe_load(resolved(COMPOSE.read_text()))
SERVICES: Final[dict[str, dict[str, Any]]] = PLAN["services"]


def test_it_is_a_compose_file() -> None:
    """It keeps to the schema of the Compose Specification."""
    program = Path(sys.executable).with_name("check-jsonschema")
    command = [str(program), "--builtin-schema", "vendor.compose-spec", str(COMPOSE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_files_volumes_and_secrets_are_there() -> None:
    """What is mounted from the repository exists; every volume and secret that is used is declared, and the reverse."""
    mounts = [mount.split(":") for service in SERVICES.values() for mount in service.get("volumes", ())]
    files = {name for name, *_ in mounts if name.startswith(".")}
    assert [name for name in files if not (DEPLOY / name).exists()] == []
    assert {name for name, *_ in mounts if not name.startswith(".")} == PLAN["volumes"].keys()
    used = {name for service in SERVICES.values() for name in service.get("secrets", ())}
    assert used == PLAN["secrets"].keys()
    ignored = subprocess.run(["git", "check-ignore", "-q", "deploy/secrets/api_secret"], cwd=ROOT, check=False)
    assert ignored.returncode == 0


def test_the_image_can_be_made() -> None:
    """Its file exists, what it calls is a target of the Makefile, and its command is one of ours."""
    for name in SERVERS:
        build = SERVICES[name]["build"]
        assert (DEPLOY / build["context"] / build["dockerfile"]).resolve() == DEPLOY / "Dockerfile"
    lines = (DEPLOY / "Dockerfile").read_text()
    targets = re.findall(r"RUN make ([a-z ]+?) &&", lines)
    makefile = (ROOT / "Makefile").read_text()
    assert targets == ["install web"]
    assert all(re.search(rf"(?m)^{target}:", makefile) for target in targets[0].split())
    entry, command = (json.loads(found) for found in re.findall(r"(?m)^(?:ENTRYPOINT|CMD) (\[.*\])$", lines))
    assert entry == ["holdspace"]
    assert command[0] in app
    for variable in re.findall(r"HOLDSPACE_(\w+)=", lines):
        assert variable.lower() in SETTING_NAMES


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_starts_with_its_settings(name: str, tmp_path: Path) -> None:
    """Every variable is a setting that is understood, and leads to the ports that are published and asked."""
    for secret in ("api_secret", "turn_secret"):
        (tmp_path / secret).write_text("s" * 40)
    given = {key: text.replace("/run/secrets", str(tmp_path)) for key, text in SERVICES[name]["environment"].items()}
    command = [str(HOLDSPACE), "config", "show", "--json"]
    environment = {"PATH": os.environ["PATH"], **given}
    shown = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
    subprocess.run([HOLDSPACE, "config", "check"], env=environment, cwd=tmp_path, capture_output=True, check=True)
    values = json.loads(shown.stdout)
    assert SERVICES[name]["ports"] == [f"{values['media_port']}:{values['media_port']}/udp"]
    assert values["media_workers"] == 1
    assert values["media_announce"] == [GIVEN["HOLDSPACE_ADDRESS"]]
    assert len(values["turn_urls"]) == 2
    assert str(values["ops_port"]) == OPERATORS
    assert f"127.0.0.1:{values['port']}/healthz" in SERVICES[name]["healthcheck"]["test"][-1]


def test_each_knows_the_others() -> None:
    """Caddy, Prometheus and Grafana name the services and ports that there are; no two publish the same."""
    assert SERVICES["caddy"]["environment"]["HOLDSPACE_SERVERS"].split() == [f"{name}:8080" for name in SERVERS]
    scraped = yaml.safe_load((DEPLOY / "prometheus" / "compose.yml").read_text())["scrape_configs"][0]
    assert scraped["static_configs"][0]["targets"] == [f"{name}:{OPERATORS}" for name in SERVERS]
    source = yaml.safe_load((DEPLOY / "grafana" / "provisioning" / "datasources" / "holdspace.yml").read_text())
    assert source["datasources"][0]["url"] == "http://prometheus:9090"
    board = yaml.safe_load((DEPLOY / "grafana" / "provisioning" / "dashboards" / "holdspace.yml").read_text())
    folder = board["providers"][0]["options"]["path"]
    assert any(mount.split(":")[1].startswith(f"{folder}/") for mount in SERVICES["grafana"]["volumes"])
    published = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert len(published) == len(set(published))


def test_prometheus_takes_its_file() -> None:
    """With the same rules as on bare metal."""
    command = [tool("promtool"), "check", "config", str(DEPLOY / "prometheus" / "compose.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


async def test_valkey_takes_its_options() -> None:
    """A real one starts with them, keeps what it is given, and throws nothing away."""
    async with redis_server("valkey", args=SERVICES["valkey"]["command"][1:]) as valkey:
        admin = valkey.admin()
        held = {**admin.config_get("maxmemory-policy"), **admin.config_get("append*")}
        admin.close()
    assert (held["maxmemory-policy"], held["appendonly"], held["appendfsync"]) == ("noeviction", "yes", "everysec")


@asynccontextmanager
async def relay(folder: Path, port: int, secret: str) -> AsyncIterator[None]:
    """Debian's coturn, by the very script of the service, on the loopback."""
    (folder / "turn_secret").write_text(secret)
    service = SERVICES["coturn"]
    script = service["command"][0].replace("/tmp/", f"{folder}/").replace("/run/secrets", str(folder))  # noqa: S108
    script = script.replace("/etc/holdspace", str(DEPLOY)).rstrip()
    words = f"--listening-ip=127.0.0.1 --relay-ip=127.0.0.1 --listening-port={port} --userdb={folder}/db"
    environment = {"PATH": os.environ["PATH"], "HOLDSPACE_ADDRESS": GIVEN["HOLDSPACE_ADDRESS"]}
    async with running(folder, *service["entrypoint"], f"{script} {words}", environment=environment):
        yield


async def allocated(port: int, secret: str) -> bool:
    """Whether the relay gives an address to who has a credential made with this secret."""
    (server,) = Relays(("turn:relay",), secret, wall=time.time).servers(RoomId("tue"), ParticipantId("ana"))
    client = TurnClientTcpProtocol(("127.0.0.1", port), server.username, server.credential, 600, 500)
    try:
        await asyncio.get_running_loop().create_connection(lambda: client, "127.0.0.1", port)
    except OSError:
        return False
    try:
        await client.connect()
    except TransactionFailed:
        client.transport.close()
        return False
    await client.delete()
    return True


async def test_coturn_takes_the_secret_of_the_servers(tmp_path: Path) -> None:
    """The script of its container starts it; credentials of the servers are good there, others are not."""
    port, secret = free_port(), "t" * 40
    async with relay(tmp_path, port, secret):
        await until(lambda: allocated(port, secret))
        assert not await allocated(port, "u" * 40)
