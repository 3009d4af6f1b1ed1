# SPDX-License-Identifier: Apache-2.0
"""Alerts by promtool; every query of the dashboard by a Prometheus that watched a real server."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio
import yaml
from aiohttp import ClientConnectionError, ClientSession

from server.app import Server
from server.rooms.commands import RaiseHand, SendChat
from server.rooms.state import Role
from tests.cluster.servers import redis_server
from tests.deploy.tools import DEPLOY, ROOT, free_port, running, tool, until
from tests.signaling.clients import Venue, config

DASHBOARD: Final = DEPLOY / "grafana" / "holdspace.json"
RULES: Final = DEPLOY / "prometheus" / "holdspace.rules.yml"

QUIET: Final = {
    "Disconnected by the server",
    "Refused",
    "Moves and breakouts",
    "Round trip to people",
    "What people really had",
    "Webhooks",
    "Offers of media",
    "Packets of people that never arrived",
}
"""Panels that show nothing for people who send no media, come to no harm and stay together."""


def promtool(*arguments: str) -> None:
    """Run it; what it says stands in the failure."""
    done = subprocess.run(
        [tool("promtool"), *arguments], cwd=Path(__file__).parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_configuration_is_sound() -> None:
    """It is taken as it is, with its rules."""
    promtool("check", "config", str(DEPLOY / "prometheus" / "prometheus.yml"))


def test_alerts_speak_in_trouble_and_only_then() -> None:
    """On a quiet evening none fires; each one does in the trouble that it is for."""
    promtool("test", "rules", "alerts.yml")


def test_each_alert_is_tried_and_has_a_page() -> None:
    """An alert without a test, or that leaves whoever is woken alone, is not to be had."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    alerts = {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}
    tried = set(re.findall(r'alertname="(\w+)"', (Path(__file__).parent / "alerts.yml").read_text()))
    assert tried == alerts.keys()
    for rule in alerts.values():
        assert (ROOT / "docs" / f"{rule['annotations']['runbook']}.md").is_file()


def test_the_dashboard_is_up_to_date() -> None:
    """The file is what the script makes."""
    done = subprocess.run([sys.executable, "scripts/dashboard.py", "--check"], cwd=ROOT, check=False)
    assert done.returncode == 0


class Watched:
    """A Prometheus that watches a server."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def ask(self, query: str) -> list[dict[str, Any]]:
        """The answer to a query, now; a faulty query is an error."""
        async with ClientSession() as http, http.get(f"{self._url}/api/v1/query", params={"query": query}) as answer:
            said = await answer.json()
        assert said["status"] == "success", (query, said)
        result: list[dict[str, Any]] = said["data"]["result"]
        return result

    async def ready(self) -> bool:
        """Whether it has started."""
        try:
            async with ClientSession() as http, http.get(f"{self._url}/-/ready") as answer:
                return answer.ok
        except ClientConnectionError:
            return False

    async def until(self, query: str) -> None:
        """Wait until there is an answer."""
        await until(lambda: self.ask(query))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def watched(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Watched]:
    """Two people do a little at a server on a Redis, while a Prometheus looks every half second."""
    tmp_path = tmp_path_factory.mktemp("watched")
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(redis_server("redis"))
        server = await stack.enter_async_context(Server(config(tmp_path / "server", ops_port=0, redis=redis.url)))
        settings = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
        settings["global"] = {"scrape_interval": "500ms", "evaluation_interval": "500ms"}
        settings["rule_files"] = [str(RULES)]
        settings["scrape_configs"][0]["static_configs"] = [{"targets": [f"127.0.0.1:{server.observatory.port}"]}]
        (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(settings))
        port = free_port()
        command = (tool("prometheus"), f"--web.listen-address=127.0.0.1:{port}", f"--storage.tsdb.path={tmp_path}/data")
        await stack.enter_async_context(running(tmp_path, *command, "--config.file=prometheus.yml"))
        watched = Watched(f"http://127.0.0.1:{port}")
        venue = Venue(server)
        stack.push_async_callback(venue.close)
        await until(watched.ready)
        await watched.until("holdspace_connections == 0")
        ann = await venue.join("ann", Role.MODERATOR)
        ben = await venue.join("ben")
        await ann.do(SendChat("hello"))
        await ben.do(RaiseHand())
        await watched.until('holdspace_seats{state="connected"} == 2 and on() holdspace_media_busy_ratio')
        await ann.do(SendChat("hello again"))
        await watched.until('rate(holdspace_log_seconds_count{call="append"}[5m]) > 0')
        yield watched


def queries() -> Iterator[tuple[str, str]]:
    """The title of the panel, and the query as Grafana would send it with all nodes chosen."""
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"].replace("$instance", ".*")


@pytest.mark.asyncio(loop_scope="module")
async def test_the_dashboard_shows_a_real_session(watched: Watched) -> None:
    """No query is wrong, and every panel shows something that there is to show."""
    shown: dict[str, int] = {}
    for title, query in queries():
        shown[title] = shown.get(title, 0) + len(await watched.ask(query))
    assert {title for title, count in shown.items() if not count} <= QUIET


@pytest.mark.asyncio(loop_scope="module")
async def test_every_metric_is_on_the_dashboard(watched: Watched) -> None:
    """What is counted and never shown is of no use at three in the morning."""
    found = await watched.ask('group by (__name__) ({__name__=~"holdspace_.*"})')
    names = {re.sub("_(bucket|count|sum|created)$", "", each["metric"]["__name__"]) for each in found}
    shown = DASHBOARD.read_text()
    assert "holdspace_tasks" in names
    assert {name for name in names if f"{name}_total" not in names and name not in shown} == set()


@pytest.mark.asyncio(loop_scope="module")
async def test_nothing_is_missed_on_a_good_day(watched: Watched) -> None:
    """People who come and act are no lost hints: the alert would cry wolf."""
    (gaps,) = await watched.ask("holdspace_hint_gaps_total")
    assert gaps["value"][1] == "0"
