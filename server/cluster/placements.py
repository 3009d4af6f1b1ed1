# SPDX-License-Identifier: Apache-2.0
"""Which node carries the media of a room family: the choice, and the one place where it stands.

The choice is a wish; what counts is what Redis holds: a node and a generation, changed by compare-and-set. A
generation is never used twice for a room, so that nobody mistakes an old placement for a new one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final, cast

from msgspec import Struct

from server.cluster.connect import Client
from server.ids import NodeId, RoomId

NEARLY: Final = 0.15
"""Share of a core by which a node may have less free than the best one and still be as good."""

LEASE_MS: Final = 60_000
"""How long a placement stands without being renewed. Whether its node lives is another question, asked elsewhere."""


class Candidate(Struct, frozen=True):
    """A live node as placement sees it. `free`: share of a core of its least loaded worker, 0 when it has none."""

    node: NodeId
    free: float
    draining: bool = False


class Place(Struct, frozen=True):
    """Where a room family is."""

    node: NodeId
    generation: int


def choose_node(room: RoomId, candidates: Iterable[Candidate]) -> NodeId | None:
    """The node for a room; None when there is none with a worker.

    Of those that are about equally free, the one that the room's name points at (rendezvous hashing): all nodes come
    to the same choice without asking, and rooms that begin together do not all go to one node.
    """
    able = [each for each in candidates if each.free > 0 and not each.draining]
    if not able:
        return None
    best = max(each.free for each in able)
    return max((each.node for each in able if each.free >= best - NEARLY), key=lambda node: _affinity(room, node))


def _affinity(room: RoomId, node: NodeId) -> bytes:
    return hashlib.sha256(f"{room}\n{node}".encode()).digest()


# KEYS[1] placement. ARGV: expected generation ("0": none), node, lease in ms.
# Sets the node with a fresh generation if the expected one still stands; returns what stands then.
_CLAIM: Final = """
local held = redis.call('HMGET', KEYS[1], 'node', 'generation')
if (held[2] or '0') ~= ARGV[1] then
  return held
end
local time = redis.call('TIME')
local fresh = math.max(tonumber(ARGV[1]) + 1, time[1] * 1000 + math.floor(time[2] / 1000))
local generation = string.format('%.0f', fresh)
redis.call('HSET', KEYS[1], 'node', ARGV[2], 'generation', generation)
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return {ARGV[2], generation}
"""

# KEYS[1] placement. ARGV: node, generation, lease in ms. Returns what stands: a placement that ran out is put back.
_RENEW: Final = """
local held = redis.call('HMGET', KEYS[1], 'node', 'generation')
if held[2] and held[2] ~= ARGV[2] then
  return held
end
redis.call('HSET', KEYS[1], 'node', ARGV[1], 'generation', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return {ARGV[1], ARGV[2]}
"""

# KEYS[1] placement. ARGV: generation. Erases it if it still stands.
_RELEASE: Final = """
if redis.call('HGET', KEYS[1], 'generation') == ARGV[1] then
  redis.call('DEL', KEYS[1])
end
return 0
"""


class Placements:
    """Placements in Redis. `key_of`: under which key a room's stands. Calls raise what the client raises."""

    def __init__(self, client: Client, key_of: Callable[[RoomId], str]) -> None:
        self._client = client
        self._key_of = key_of

    async def find(self, room: RoomId) -> Place | None:
        """Where the room is."""
        held = await cast("Awaitable[Sequence[Any]]", self._client.hmget(self._key_of(room), "node", "generation"))
        return _place(held)

    async def claim(self, room: RoomId, expected: Place | None, node: NodeId) -> Place:
        """Put the room on this node unless somebody has changed what was expected; returns what stands then."""
        generation = 0 if expected is None else expected.generation
        return await self._stands(_CLAIM, room, str(generation), node, str(LEASE_MS))

    async def renew(self, room: RoomId, mine: Place) -> Place:
        """Keep the placement; returns what stands: another one means that the room was taken elsewhere."""
        return await self._stands(_RENEW, room, mine.node, str(mine.generation), str(LEASE_MS))

    async def release(self, room: RoomId, mine: Place) -> None:
        """Forget the placement if it still stands."""
        await self._client.eval(_RELEASE, 1, self._key_of(room), str(mine.generation))

    async def _stands(self, script: str, room: RoomId, *arguments: str) -> Place:
        place = _place(await self._client.eval(script, 1, self._key_of(room), *arguments))
        if place is None:
            raise AssertionError("a script that sets a placement returned none")
        return place


def _place(held: Sequence[Any]) -> Place | None:
    node, generation = held
    if node is None or generation is None:
        return None
    return Place(NodeId(node.decode() if isinstance(node, bytes) else node), int(generation))
