# SPDX-License-Identifier: Apache-2.0
"""Faults of nodes; the numbers are those of the fault list."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.faults.report import record
from tests.faults.scene import assert_survived
from tests.faults.test_redis import three_nodes


@pytest.mark.slow
async def test_01_a_node_killed_in_the_middle_of_splits(tmp_path: Path) -> None:
    """Its people are back in their own rooms within three seconds, and nothing is lost or half done."""
    async with three_nodes(tmp_path) as (scene, _, _):
        await scene.nodes[0].kill()
        await asyncio.sleep(3)
        run = await scene.finish()
        record(1, "a node killed (-9) while breakouts open and close", run, converged_ms=scene.converged_ms)
        assert_survived(run)


@pytest.mark.slow
async def test_02_a_node_paused(tmp_path: Path) -> None:
    """A node that slept for twice its lease and wakes as a zombie changes nothing and shows nothing old."""
    async with three_nodes(tmp_path) as (scene, _, _):
        scene.nodes[0].pause()
        await asyncio.sleep(10)
        scene.nodes[0].resume()
        await asyncio.sleep(3)
        run = await scene.finish()
        record(2, "a node paused for 10 s, then awake (zombie)", run, converged_ms=scene.converged_ms)
        assert_survived(run)


@pytest.mark.slow
async def test_03_all_nodes_killed(tmp_path: Path) -> None:
    """All nodes die and start again: the room is as it was, everybody is back in their place."""
    async with three_nodes(tmp_path) as (scene, _, _):
        await asyncio.gather(*(node.kill() for node in scene.nodes))
        await asyncio.gather(*(node.start() for node in scene.nodes))
        run = await scene.finish()
        record(3, "all nodes killed at once, started again", run, converged_ms=scene.converged_ms)
        assert_survived(run)


@pytest.mark.slow
async def test_04_rolling_restart(tmp_path: Path) -> None:
    """Nodes are drained and replaced one after another; nobody notices more than a moment without a connection."""
    async with three_nodes(tmp_path) as (scene, _, _):
        for node in scene.nodes:
            await node.drain()
            await node.start()
        run = await scene.finish()
        record(4, "rolling restart of all nodes", run, converged_ms=scene.converged_ms)
        assert_survived(run)
