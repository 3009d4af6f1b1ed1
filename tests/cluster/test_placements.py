# SPDX-License-Identifier: Apache-2.0
"""Where rooms go, and that only one of two nodes that choose at once is heeded."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter

from server.cluster.connect import client_of, disconnect
from server.cluster.placements import NEARLY, Candidate, Place, Placements, choose_node
from server.ids import NodeId, RoomId
from tests.cluster.servers import RunningRedis

A, B, C = NodeId("a"), NodeId("b"), NodeId("c")
ROOM = RoomId("r")


def test_a_room_goes_to_a_node_that_has_room() -> None:
    """Not to one that is clearly busier, nor to one that is leaving or has no worker."""
    assert choose_node(ROOM, [Candidate(A, 0.2), Candidate(B, 0.2 + NEARLY + 0.01)]) == B
    assert choose_node(ROOM, [Candidate(A, 1.0, draining=True), Candidate(B, 0.001), Candidate(C, 0.0)]) == B
    assert choose_node(ROOM, [Candidate(A, 0.0)]) is None


def test_rooms_that_begin_together_spread() -> None:
    """All nodes choose alike without asking, and no node gets nearly all of the rooms."""
    equal = [Candidate(A, 0.9), Candidate(B, 0.85), Candidate(C, 0.95)]
    chosen = Counter(choose_node(RoomId(str(number)), equal) for number in range(300))
    assert chosen == Counter(choose_node(RoomId(str(number)), equal[::-1]) for number in range(300))
    assert min(chosen[A], chosen[B], chosen[C]) > 60


async def test_one_of_two_claims_stands(shared_server: RunningRedis) -> None:
    """The other is told which; generations only rise; what was lost is put back by its node."""
    client = client_of(shared_server.url)
    prefix = secrets.token_hex(4)
    placements = Placements(client, lambda room: f"{prefix}:{room}")
    assert await placements.find(ROOM) is None
    first, second = await asyncio.gather(placements.claim(ROOM, None, A), placements.claim(ROOM, None, B))
    assert first == second == await placements.find(ROOM)
    moved = await placements.claim(ROOM, first, C)
    assert moved.node == C
    assert moved.generation > first.generation
    assert await placements.claim(ROOM, first, A) == moved
    assert await placements.renew(ROOM, first) == moved
    await placements.release(ROOM, first)
    assert await placements.find(ROOM) == moved
    await placements.release(ROOM, moved)
    assert await placements.find(ROOM) is None
    assert await placements.renew(ROOM, moved) == moved == Place(C, moved.generation)
    await placements.release(ROOM, moved)
    await disconnect(client)
