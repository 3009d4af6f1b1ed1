# SPDX-License-Identifier: Apache-2.0
"""What Prometheus gets from a real server in which people meet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import ClientSession
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as prometheus_text

from server.app import Server
from server.config import Config, ConfigError
from server.ids import PeerId, RoomId
from server.media.channel import PeerStats, SlotStats
from server.observe.looks import Sums
from server.ports import Quality
from server.rooms.commands import SendChat
from server.rooms.state import Role
from server.signaling.messages import MediaOffer
from tests.signaling.clients import Venue, config

CANARY = "canaryword"
CHROMIUM = (Path(__file__).parents[1] / "media" / "offers" / "chromium.sdp").read_text()


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    """A server that operators may look at."""
    async with Server(config(tmp_path, ops_port=0)) as server:
        yield server


async def scrape(server: Server, accept: str = "") -> str:
    """The text, as a Prometheus gets it."""
    async with ClientSession() as http, http.get(url(server, "/metrics"), headers={"Accept": accept}) as answer:
        assert answer.status == 200
        return await answer.text()


def url(server: Server, path: str) -> str:
    """A place for operators."""
    return f"http://127.0.0.1:{server.observatory.port}{path}"


def samples(text: str) -> dict[tuple[str, ...], float]:
    """Each value by its name and the values of its labels."""
    families = prometheus_text(text)
    return {(each.name, *each.labels.values()): each.value for family in families for each in family.samples}


async def test_people_and_what_they_do_are_counted(server: Server) -> None:
    """Seats, commands, events, appends and the worker show up as numbers."""
    venue = Venue(server)
    ann = await venue.join("ann", Role.MODERATOR)
    await venue.join("ben")
    await ann.do(SendChat("hello"))
    found = samples(await scrape(server))
    await venue.close()
    assert found["holdspace_connections",] == 2
    assert found["holdspace_seats", "connected"] == 2
    assert found["holdspace_rooms", "waiting"] == 1
    assert found["holdspace_events_total", "chat_sent"] == 1
    assert found["holdspace_appends_total", "appended"] >= 3
    assert found["holdspace_deliver_seconds_count",] >= 2
    assert found["holdspace_deliver_seconds_sum",] < 3
    assert found["holdspace_log_seconds_count", "append"] == found["holdspace_appends_total", "appended"]


async def test_a_worker_is_seen(server: Server) -> None:
    """Its counters are there as soon as it has spoken, within about a second."""
    async with asyncio.timeout(10):
        while (found := samples(await scrape(server)))["holdspace_media_up", "0"] == 0:  # noqa: ASYNC110 - a scrape has to ask
            await asyncio.sleep(0.1)
    assert found["holdspace_media_packets_forwarded_total", "0"] == 0
    assert 0 < found["holdspace_media_busy_ratio", "0"] < 2
    assert found["holdspace_loop_lag_seconds_count",] >= 1


def test_changes_of_slots_are_summed_up() -> None:
    """Of peers that go, too; a peer that begins anew counts from nothing."""

    def peer(name: str, *switches: int) -> PeerStats:
        slots = tuple(SlotStats(index, 0, 0, 0, None, 0, 0, 0, 0, 0, count) for index, count in enumerate(switches))
        return PeerStats(
            PeerId(name), RoomId("tue"), 0, 0, 0, 0, Quality.GOOD, Quality.GOOD, refused=0, layers=(), slots=slots
        )

    switches = Sums(lambda peer: sum(slot.switches for slot in peer.slots))
    assert switches.total([peer("a", 2, 3), peer("b", 1)]) == 6
    assert switches.total([peer("a", 2, 5)]) == 8
    assert switches.total([peer("a", 1), peer("b", 4)]) == 12


async def test_offers_of_media_are_counted_by_what_came_of_them(server: Server) -> None:
    """One that another one replaces is gone; only those that came up are timed."""
    venue = Venue(server)
    ann = await venue.join("ann", Role.MODERATOR)
    await ann.do(MediaOffer(1, CHROMIUM))
    await ann.do(MediaOffer(2, CHROMIUM))
    found = samples(await scrape(server))
    await venue.close()
    assert found["holdspace_media_offers_total", "gone"] == 1
    assert found["holdspace_media_connect_seconds_count",] == 0


async def test_no_name_gets_into_a_metric(server: Server) -> None:
    """Nothing that people wrote, nor who they are, nor their room, is in the text."""
    venue = Venue(server)
    ann = await venue.join(f"ann-{CANARY}", Role.MODERATOR, name=CANARY)
    await ann.do(SendChat(f"{CANARY} in chat"))
    text = await scrape(server)
    await venue.close()
    assert CANARY not in text
    assert venue.room not in text


async def test_openmetrics_is_spoken_to_who_asks(server: Server) -> None:
    """A newer Prometheus gets OpenMetrics that its own parser takes."""
    text = await scrape(server, "application/openmetrics-text; version=1.0.0")
    families = open_metrics(text)  # type: ignore[no-untyped-call] # the library annotates its other parser only
    assert {family.name for family in families} > {"holdspace_rooms", "holdspace_command_seconds"}


async def test_a_server_without_that_port_shows_nothing(tmp_path: Path) -> None:
    """People who reach the pages reach no metrics."""
    async with Server(config(tmp_path)) as server, ClientSession() as http:
        assert server.observatory.port == 0
        async with http.get(f"http://127.0.0.1:{server.port}/metrics") as answer:
            assert answer.status == 404


async def test_health_is_told_there_too(server: Server) -> None:
    """Alive and ready, until the server drains: then alive only."""
    async with ClientSession() as http:
        async with http.get(url(server, "/readyz")) as answer:
            assert answer.status == 200
        server.drain()
        async with http.get(url(server, "/readyz")) as answer:
            assert answer.status == 503
        async with http.get(url(server, "/healthz")) as answer:
            assert answer.status == 200


async def test_a_port_in_use_is_a_clear_error(server: Server, tmp_path: Path) -> None:
    """The message names the port."""
    taken: Config = config(tmp_path, ops_port=server.observatory.port)
    with pytest.raises(ConfigError, match=str(server.observatory.port)):
        async with Server(taken):
            raise AssertionError("not reached")
