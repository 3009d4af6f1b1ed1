# SPDX-License-Identifier: Apache-2.0
"""Faults of nodes; the numbers are those of the fault list."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.faults.nodes import SOURCE
from tests.faults.older import older
from tests.faults.seeds import Topology
from tests.faults.stages import three_nodes


@pytest.mark.slow
async def test_01_a_node_killed_in_the_middle_of_splits(tmp_path: Path, seed: int, topology: Topology) -> None:
    """Its people are back in their own rooms within three seconds, and nothing is lost or half done."""
    async with three_nodes(tmp_path, seed, topology) as (scene, *_):
        await scene.nodes[0].kill()
        await asyncio.sleep(3)
        await scene.conclude(1, "a node killed (-9) while breakouts open and close")


@pytest.mark.slow
async def test_02_a_node_paused(tmp_path: Path, seed: int, topology: Topology) -> None:
    """A node that slept for twice its lease and wakes as a zombie changes nothing and shows nothing old."""
    async with three_nodes(tmp_path, seed, topology) as (scene, *_):
        scene.nodes[0].pause()
        await asyncio.sleep(10)
        scene.nodes[0].resume()
        await asyncio.sleep(3)
        await scene.conclude(2, "a node paused for 10 s, then awake (zombie)")


@pytest.mark.slow
async def test_03_all_nodes_killed(tmp_path: Path, seed: int, topology: Topology) -> None:
    """All nodes die and start again: the room is as it was, everybody is back in their place."""
    async with three_nodes(tmp_path, seed, topology) as (scene, *_):
        await asyncio.gather(*(node.kill() for node in scene.nodes))
        await asyncio.gather(*(node.start() for node in scene.nodes))
        await scene.conclude(3, "all nodes killed at once, started again")


@pytest.mark.slow
async def test_04_rolling_restart(tmp_path: Path, seed: int, topology: Topology) -> None:
    """Nodes are drained and replaced one after another; nobody notices more than a moment without a connection."""
    async with three_nodes(tmp_path, seed, topology) as (scene, *_):
        for node in scene.nodes:
            await node.drain()
            await node.start()
        await scene.conclude(4, "rolling restart of all nodes")


@pytest.mark.slow
async def test_11_two_versions_side_by_side(tmp_path: Path, seed: int) -> None:
    """Nodes of the version before and of this one are one system, also while one after another is replaced."""
    old = older(tmp_path / "older")
    async with three_nodes(tmp_path, seed, sources=(old, old, SOURCE)) as (scene, *_):
        await asyncio.sleep(3)
        for node, source in zip(scene.nodes, (SOURCE, SOURCE, old), strict=True):
            await node.drain()
            node.take(source)
            await node.start()
            await asyncio.sleep(1)
        await scene.conclude(11, "two versions side by side, changed one by one")
