# SPDX-License-Identifier: Apache-2.0
"""Faults of clients and their networks, on one node; the numbers are those of the fault list."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from holdspace_client.protocol.errors import DisconnectCode, RejectCode
from holdspace_client.protocol.rooms.commands import DraftPlan, OpenBreakouts, RaiseHand, SendChat
from holdspace_client.protocol.rooms.state import AssignmentStrategy, Presence
from holdspace_client.protocol.signaling.messages import Ok, Reject, Welcome
from server.ids import CommandId, ParticipantId, RoomId
from server.rooms.state import Role
from tests.faults.checker.history import Gauge
from tests.faults.client import Client, now_ms
from tests.faults.nodes import token
from tests.faults.proxy import Proxy
from tests.faults.scene import Scene, assert_survived


async def test_16_a_command_is_sent_again(tmp_path: Path, seed: int) -> None:
    """A command whose answer is lost is repeated with its id, over this connection and over others: one effect."""
    async with Scene(tmp_path, seed=seed) as scene:
        await scene.gather(2)
        _, one, two = scene.clients
        for number in range(20):
            same = CommandId(f"same-{number}")
            first = await one.insist(SendChat(f"once {number}"), command_id=same)
            if number % 4 == 0:
                await one.cut()
            again = await one.insist(SendChat(f"once {number}"), command_id=same)
            assert isinstance(first, Ok)
            assert again == first
        await two.do(RaiseHand())
        assert_survived(await scene.finish())


async def test_27_reconnect_storm(tmp_path: Path, seed: int) -> None:
    """When everybody's network breaks again and again in the middle of splits, nobody loses anything."""
    async with Scene(tmp_path, seed=seed) as scene:
        await scene.gather(12)
        scene.begin_work()
        for _ in range(4):
            await asyncio.sleep(0.7)
            await asyncio.gather(*(client.cut() for client in scene.clients))
        await asyncio.sleep(0.7)
        await scene.conclude(27, "everybody's connection breaks at once, four times")


async def test_26_two_tabs(tmp_path: Path, seed: int) -> None:
    """Of two tabs one is told that it was superseded, and acts no more."""
    async with Scene(tmp_path, seed=seed) as scene:
        await scene.gather(2)
        mine = scene.clients[1]
        for number in range(10):
            tab = scene.client(mine.person)
            await tab.arrive()
            assert await mine.until_disconnected(3) is DisconnectCode.SUPERSEDED
            await tab.do(SendChat(f"tab {number}"))
            mine = tab
        await scene.conclude(26, "a second tab, ten times")


@pytest.mark.slow
async def test_25_half_open(tmp_path: Path, seed: int) -> None:
    """A connection that goes deaf without a word is left for another one; what was sent meanwhile has one effect."""
    async with Scene(tmp_path, seed=seed) as scene, Proxy(scene.nodes[0].port) as network:
        await scene.gather(4)
        mobile = scene.client("mobile")
        mobile.urls = (f"http://127.0.0.1:{network.port}", scene.urls[0])
        await mobile.arrive()
        scene.begin_work()
        for up, down in ((True, True), (False, True), (True, False)):
            await asyncio.sleep(0.5)
            network.deafen(up=up, down=down)
            await asyncio.sleep(1)
            await mobile.insist(SendChat(f"from the train {up} {down}"))
            network.heal()
            await asyncio.sleep(0.3)
            mobile.elsewhere()
            await mobile.cut()
        await scene.conclude(25, "the network changes under a connection (half-open)")


@pytest.mark.slow
async def test_28_away_and_back(tmp_path: Path, seed: int) -> None:
    """Who was away for a moment hears what was missed; for too long, sees the room anew."""
    async with Scene(tmp_path, seed=seed) as scene:
        await scene.gather(7)
        away, *others = scene.clients[1:]
        welcomes: list[Welcome] = []
        for missed in (0, 3, 300):
            await away.rest()
            for number in range(missed):
                await others[number % len(others)].insist(SendChat(f"{missed} {number}"))
            welcomes.append(await away.resume())
            away.stay()
        assert [welcome.tail is not None for welcome in welcomes] == [True, True, False]
        await scene.conclude(28, "away for a moment and for long")


async def test_29_a_wrong_position(tmp_path: Path, seed: int) -> None:
    """Of the past, of the future, of another room: each is answered with the room as it is, and nothing breaks."""
    async with Scene(tmp_path, seed=seed) as scene:
        moderator = await scene.gather(2)
        mine = scene.clients[1]
        for number in range(5):
            await moderator.insist(SendChat(f"before {number}"))
        other = await _somebody_elsewhere(scene)
        epoch, seq = mine.position
        wrong = ((epoch, seq + 1_000), (epoch, 2**53), (epoch - 1, seq), (epoch + 7, seq), (2**53, 1), (0, 0), other)
        for position in wrong:
            await mine.rest()
            assert (await mine.resume_from(*position)).view is not None
            mine.stay()
        await moderator.do(DraftPlan(AssignmentStrategy.RANDOM, 2, 0))
        for version in (-1, 7, 2**53):
            answer = await moderator.insist(OpenBreakouts(version))
            assert isinstance(answer, Reject)
            assert answer.code is RejectCode.STALE_VERSION
        await scene.conclude(29, "a position of the past, the future, another room")


async def _somebody_elsewhere(scene: Scene) -> tuple[int, int]:
    """A position in another room."""
    person = ParticipantId("stranger")
    link = token(scene.key, RoomId("elsewhere"), person, Role.MODERATOR)
    stranger = Client(scene.urls, link, person, scene.seed)
    await stranger.arrive()
    await stranger.insist(SendChat("hello"))
    position = stranger.position
    await stranger.end()
    return position


@pytest.mark.slow  # whoever has not read for ten seconds is given up
async def test_31_a_client_that_never_reads(tmp_path: Path, seed: int) -> None:
    """It is dropped within the caps of bytes and time; others do not notice, and it catches up when it reads again."""
    async with Scene(tmp_path, seed=seed) as scene, Proxy(scene.nodes[0].port, window=4096) as network:
        moderator = await scene.gather(8)
        deaf = scene.client("deaf")
        deaf.urls = (f"http://127.0.0.1:{network.port}",)
        await deaf.arrive()
        before, began = scene.nodes[0].memory_bytes(), now_ms()
        network.deafen(up=False)
        number = 0
        while moderator.view.participants[deaf.person].presence is Presence.CONNECTED and now_ms() - began < 21_000:
            number += 1
            await asyncio.gather(*(one.insist(SendChat(f"{number} {'x' * 1900}")) for one in scene.clients[1:9]))
        dropped_ms, grown = now_ms() - began, scene.nodes[0].memory_bytes() - before
        network.heal()
        gauges = (Gauge("memory", grown, 16 * 2**20), Gauge("time until it is dropped", dropped_ms, 20_000))
        more = {"dropped_ms": dropped_ms, "memory_grown": grown}
        await scene.conclude(31, "a client that never reads", gauges=gauges, more=more)
