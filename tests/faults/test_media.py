# SPDX-License-Identifier: Apache-2.0
"""Faults that concern sound and pictures; the numbers are those of the fault list."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Final

import pytest

from holdspace_client.protocol.rooms import commands as c
from holdspace_client.protocol.rooms.state import AssignmentStrategy
from server.cluster.connect import client_of, disconnect
from server.cluster.keys import Keys
from server.cluster.nodes import Registry
from server.cluster.placements import Placements
from server.ids import CommandId
from server.rooms.commands import RoomCommand
from server.signaling.messages import ClientCommand, Ok
from tests.faults.checker.history import Answered, Gauge, History, Opening, Sent
from tests.faults.client import now_ms
from tests.faults.nodes import Node
from tests.faults.on_air import Air, go_on_air, mark, settled, silences
from tests.faults.scene import ROOM, Scene, until
from tests.faults.seeds import Topology
from tests.faults.stages import Stage, empty_stage
from tests.faults.workload import take_part

pytestmark = pytest.mark.slow

BACK_MS: Final = 5_000
"""Within which media is promised to be back."""
NOTICE_MS: Final = 2_000
FLOWING_MS: Final = 1_000


async def test_01_the_node_that_carries_the_media_is_killed(tmp_path: Path, seed: int, topology: Topology) -> None:
    """In the middle of breakouts: everybody is heard and seen again in their own breakout, and nowhere else."""
    async with empty_stage(tmp_path, seed, topology) as stage:
        air = await _in_breakouts(stage)
        mark(air)
        await (await carrier(stage)).kill()
        await asyncio.sleep(1)
        await settled(air)
        await _conclude(stage.scene, air, 1, "the node that carries the media killed (-9)")


async def test_39_the_media_worker_killed(tmp_path: Path, seed: int, topology: Topology) -> None:
    """Signaling lives: nobody leaves the room, and media is back where it was."""
    async with empty_stage(tmp_path, seed, topology) as stage:
        air = await _in_breakouts(stage)
        mark(air)
        for worker in (await carrier(stage)).workers():
            os.kill(worker, signal.SIGKILL)
        await asyncio.sleep(1)
        await settled(air)
        await _conclude(stage.scene, air, 39, "the media process killed (-9) while signaling lives")


async def test_39_the_only_media_worker_killed(tmp_path: Path, seed: int) -> None:
    """No other node could carry the room: everybody is heard and seen again when the worker is back."""
    async with Scene(tmp_path, seed=seed) as scene:
        await scene.gather(0)
        air = await go_on_air(scene, 4, (0,))
        mark(air)
        for worker in scene.nodes[0].workers():
            os.kill(worker, signal.SIGKILL)
        await until(lambda: all(one.peer is None for one in air.people), BACK_MS / 1_000)
        await settled(air)
        await _conclude(scene, air, 39, "the only media process killed (-9)")


async def test_05_a_node_loses_redis_alone(tmp_path: Path, seed: int) -> None:
    """Its people are told soon, hear and see each other all the time, and nothing is acknowledged that is not kept."""
    async with empty_stage(tmp_path, seed) as stage:
        scene = stage.scene
        air = await _in_breakouts(stage, at_the_carrier=True)
        node = await carrier(stage)
        number = scene.nodes.index(node)
        mine = [client for client in scene.clients if client.staying and client.node == node.url]
        mark(air)
        stage.networks[number].deafen()
        cut_ms = now_ms()
        # Whoever has given this node up meanwhile was not told either, but is not waited for.
        noticed_ms = await until(lambda: all(one.read_only or one.node != node.url for one in mine), 10)
        await asyncio.sleep(6 - noticed_ms / 1000)
        gaps = silences(air)
        wrongly = sum(acknowledged(client.history, node.url, cut_ms + NOTICE_MS) for client in scene.clients)
        stage.networks[number].heal()
        await until(lambda: not any(client.read_only for client in mine), 10)
        await asyncio.sleep(2)
        await settled(air)
        gauges = (
            Gauge("time until people are told", noticed_ms, NOTICE_MS),
            Gauge("commands acknowledged meanwhile", wrongly, 0),
            Gauge("longest silence meanwhile", max(gaps), FLOWING_MS),
        )
        more = {"media_gaps_ms": gaps, "read_only_after_ms": noticed_ms, "acknowledged_meanwhile": wrongly}
        await scene.conclude(5, "a node loses Redis alone for 6 s, media flows", gauges=gauges, more=more)


def acknowledged(history: History, node: str, since_ms: int) -> int:
    """How many commands for the room this node has acknowledged since then."""
    at, count = "", 0
    commands: dict[CommandId, ClientCommand] = {}
    for record in history.records:
        match record:
            case Opening():
                at = record.node
            case Sent():
                commands[record.id] = record.command
            case Answered(answer=Ok()) if at == node and record.at_ms > since_ms:
                count += isinstance(commands[record.id], RoomCommand)
            case _:
                continue
    return count


async def carrier(stage: Stage) -> Node:
    """The node whose worker carries the room."""
    client = client_of(stage.ground.url)
    try:
        place = await Placements(client, lambda room: Keys().key(room, "place")).find(ROOM)
        (url,) = [info.url for info in await Registry(client).nodes() if place and info.node == place.node]
    finally:
        await disconnect(client)
    (node,) = [node for node in stage.scene.nodes if node.url == url]
    return node


async def _place(stage: Stage) -> int:
    """Somebody comes on the air and leaves again; the number of the node that has the room's media from then on."""
    (scout,) = (await go_on_air(stage.scene, 1)).people
    number = stage.scene.nodes.index(await carrier(stage))
    assert await scout.manage(c.Leave())
    await scout.depart()
    return number


async def _in_breakouts(stage: Stage, *, at_the_carrier: bool = False) -> Air:
    """Four people on the air in two breakouts, and others who talk in main."""
    scene = stage.scene
    moderator = await scene.gather(0)
    nodes = (await _place(stage),) if at_the_carrier else (0, 1, 2)
    air = await go_on_air(scene, 4, nodes)
    assert await moderator.manage(c.DraftPlan(AssignmentStrategy.EVEN, 2, 0))
    view = await moderator.until(lambda view: view.breakouts.plan is not None)
    assert view.breakouts.plan is not None
    assert await moderator.manage(c.OpenBreakouts(view.breakouts.plan.version, allow_alone=True))
    others = [scene.client(f"p{number}", node=number % 3) for number in range(6)]
    await asyncio.gather(*(one.arrive() for one in others))
    for one in others:
        scene.start(take_part(one, 0.3))
    await until(lambda: all(len(one.company) == 2 for one in air.people), 10)
    await settled(air)
    return air


async def _conclude(scene: Scene, air: Air, fault: int, name: str) -> None:
    gaps = silences(air)
    gauges = (Gauge("longest silence", max(gaps), BACK_MS),)
    await scene.conclude(fault, name, gauges=gauges, more={"media_gaps_ms": gaps})
