# SPDX-License-Identifier: Apache-2.0
"""Which nodes there are. Each counts up a beat of its own once a second; see `lapse` for who is taken to be gone.

A node that was given up by another is buried: from then on it cannot beat under that name. Whether it was dead or only
asleep, its seats are released once, and when it wakes it has to begin anew as somebody else.

Three small hashes and sets in one slot hold it all. They expire when no node beats any more.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

import msgspec
import structlog
from msgspec import Struct

from server.cluster.calls import CALL_S, FAULTS
from server.cluster.ending import end
from server.cluster.lapse import LEASE_MS, TOUCH_MS, Lapses
from server.ids import NodeId, RoomId
from server.ports import LogUnavailable

BEAT_S: Final = 1.0
NODE_BYTES: Final = 9
_NS_PER_MS: Final = 1_000_000

log = structlog.get_logger()

_BEAT: Final = """
-- KEYS: beats, infos, lapsed, drains, orphans, rooms of the node. ARGV: node, info.
if redis.call('ZSCORE', KEYS[3], ARGV[1]) then return {0} end
local hour, day = 3600000, 86400000
local now = tonumber(redis.call('TIME')[1])
redis.call('HINCRBY', KEYS[1], ARGV[1], 1)
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now - 3600)
for i = 1, 5 do redis.call('PEXPIRE', KEYS[i], hour) end
redis.call('PEXPIRE', KEYS[6], day)
return {1, redis.call('HGETALL', KEYS[1]), redis.call('HVALS', KEYS[2]), redis.call('ZRANGE', KEYS[3], 0, -1),
    redis.call('SMEMBERS', KEYS[5]), redis.call('SISMEMBER', KEYS[4], ARGV[1]), redis.call('SCARD', KEYS[6])}
"""

_BURY: Final = """
-- KEYS: beats, infos, lapsed, drains, orphans. ARGV: node, the beat at which it stood still ('': whichever).
if ARGV[2] ~= '' and redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('SREM', KEYS[4], ARGV[1])
redis.call('ZADD', KEYS[3], tonumber(redis.call('TIME')[1]), ARGV[1])
redis.call('SADD', KEYS[5], ARGV[1])
for i = 3, 5 do redis.call('PEXPIRE', KEYS[i], 3600000) end
return 1
"""

_NOTE: Final = """
-- KEYS: rooms of the node. ARGV: rooms.
for i = 1, #ARGV do redis.call('SADD', KEYS[1], ARGV[i]) end
return redis.call('PEXPIRE', KEYS[1], 86400000)
"""


class NodeInfo(Struct, frozen=True):
    """What a node says of itself. `url`: where browsers reach it, empty if they do not choose.

    `media_free`: free share of its least loaded media worker, 0: takes no room.
    """

    node: NodeId
    url: str = ""
    media_free: float = 0.0
    started_ms: int = 0
    draining: bool = False
    version: str = ""


class Evaluator(Protocol):
    """The part of a Redis client, single or Cluster, that is needed here."""

    def eval(self, script: str, numkeys: int, *keys_and_args: str) -> Any:  # noqa: ANN401 - replies of any shape
        """Run a script."""

    def sadd(self, name: str, *values: Any) -> Any:  # noqa: ANN401
        """Add to a set."""

    def srem(self, name: str, *values: Any) -> Any:  # noqa: ANN401
        """Take out of a set."""

    def smembers(self, name: str) -> Any:  # noqa: ANN401
        """A whole set."""

    def hvals(self, name: str) -> Any:  # noqa: ANN401
        """The values of a hash."""


class _Present(Struct):
    info: NodeInfo
    seen_ms: int


def fresh_node() -> NodeId:
    """A name that no other run of a server has."""
    return NodeId("n-" + secrets.token_urlsafe(NODE_BYTES))


class Registry:
    """The keys of all nodes, and what can be done to them from outside."""

    def __init__(self, client: Evaluator, prefix: str = "hs") -> None:
        self.client = client
        self._prefix = f"{prefix}:{{nodes}}:"
        self._keys = tuple(self._prefix + name for name in ("beats", "infos", "lapsed", "drains", "orphans"))

    def rooms_key(self, node: NodeId) -> str:
        """The set of rooms in which somebody may have a seat through this node."""
        return f"{self._prefix}rooms:{node}"

    async def nodes(self) -> tuple[NodeInfo, ...]:
        """All that are not buried, as they said last. Raises LogUnavailable."""
        return tuple(map(_info, await self.call(self.client.hvals(self._keys[1]))))

    async def drain(self, node: NodeId) -> None:
        """Ask a node to send its people to others and end. Raises LogUnavailable."""
        await self.call(self.client.sadd(self._keys[3], node))

    async def beat(self, info: NodeInfo) -> list[Any]:
        """Say that one lives; the reply of the script. Raises LogUnavailable."""
        keys = (*self._keys, self.rooms_key(info.node))
        body: Any = msgspec.msgpack.encode(info)
        reply: list[Any] = await self.call(self.client.eval(_BEAT, len(keys), *keys, info.node, body))
        return reply

    async def bury(self, node: NodeId, beat: int | None = None) -> bool:
        """Give a node up, unless it has beaten since. Raises LogUnavailable."""
        at = "" if beat is None else str(beat)
        return bool(await self.call(self.client.eval(_BURY, len(self._keys), *self._keys, node, at)))

    async def settled(self, node: NodeId) -> None:
        """Nothing is left to do for a node that was given up. Raises LogUnavailable."""
        await self.call(self.client.srem(self._keys[4], node))

    async def note(self, node: NodeId, *rooms: RoomId) -> None:
        """Somebody may have a seat in these rooms through this node. Raises LogUnavailable."""
        await self.call(self.client.eval(_NOTE, 1, self.rooms_key(node), *rooms))

    async def unnote(self, node: NodeId, room: RoomId) -> None:
        """Nobody has a seat in this room through this node any more. Raises LogUnavailable."""
        await self.call(self.client.srem(self.rooms_key(node), room))

    async def rooms_of(self, node: NodeId) -> tuple[RoomId, ...]:
        """Where somebody may have a seat through this node. Raises LogUnavailable."""
        members = await self.call(self.client.smembers(self.rooms_key(node)))
        return tuple(RoomId(_text(member)) for member in members)

    async def call(self, answer: Awaitable[Any]) -> Any:  # noqa: ANN401 - replies of any shape
        """The reply, in time. Raises LogUnavailable."""
        try:
            async with asyncio.timeout(CALL_S):
                return await answer
        except FAULTS as error:
            raise LogUnavailable from error


def _now_ms() -> int:
    return time.monotonic_ns() // _NS_PER_MS


class Nodes:
    """This node among the others. `facts` is asked at each beat; its `node` is replaced by the present name."""

    def __init__(self, registry: Registry, facts: Callable[[], NodeInfo], now_ms: Callable[[], int] = _now_ms) -> None:
        self.registry = registry
        self.node = fresh_node()
        self.orphans: frozenset[NodeId] = frozenset()
        """Nodes that were given up, and whose seats are perhaps not released yet."""
        self.lapsed: frozenset[NodeId] = frozenset()
        self._facts = facts
        self._now_ms = now_ms
        self._lapses = Lapses()
        self._present: dict[NodeId, _Present] = {}
        self._replied_ms: int | None = None
        self._noted: set[RoomId] = set()
        self._on_lapse: list[Callable[[NodeId], None]] = []
        self._on_buried: list[Callable[[], None]] = []
        self._on_drain: list[Callable[[], None]] = []
        self._on_look: list[Callable[[], None]] = []
        self._drained = False
        self._task: asyncio.Task[None] | None = None

    def live(self) -> tuple[NodeInfo, ...]:
        """All nodes that are taken to live, this one included once it has started.

        While Redis is away, and for a lease after that, nobody is missed.
        """
        return tuple(present.info for present in self._present.values())

    def on_lapse(self, callback: Callable[[NodeId], None]) -> None:
        """Tell of each node that was given up, by whomever, once."""
        self._on_lapse.append(callback)

    def on_buried(self, callback: Callable[[], None]) -> None:
        """Tell when this very node was given up, as after a long sleep; `node` is another by then."""
        self._on_buried.append(callback)

    def on_drain(self, callback: Callable[[], None]) -> None:
        """Tell when somebody asked this node to end."""
        self._on_drain.append(callback)

    def on_look(self, callback: Callable[[], None]) -> None:
        """Tell after each look at the others: `live` may have changed."""
        self._on_look.append(callback)

    async def start(self) -> None:
        """Begin to live. Raises LogUnavailable."""
        await self.beat()
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """End, and let the others release what is left of one's seats at once."""
        if self._task is not None:
            await end(self._task)
            try:
                await self.registry.bury(self.node)
            except LogUnavailable:
                log.info("unburied", node=self.node)

    async def note(self, room: RoomId) -> None:
        """Somebody is about to take a seat in this room through this node. Raises LogUnavailable."""
        if room not in self._noted:
            await self.registry.note(self.node, room)
            self._noted.add(room)

    async def forget(self, room: RoomId) -> None:
        """The room is not loaded here any more. Raises LogUnavailable."""
        if room in self._noted:
            self._noted.discard(room)
            await self.registry.unnote(self.node, room)

    async def beat(self) -> None:
        """Beat once, and look at the others. Raises LogUnavailable."""
        info = self._info()
        reply = await self.registry.beat(info)
        if not reply[0]:
            self._rise()
            await self.beat()
            return
        _, beats, infos, lapsed, orphans, drain, noted = reply
        now_ms = self._now_ms()
        self.orphans = frozenset(NodeId(_text(node)) for node in orphans)
        self._meet(now_ms, tuple(map(_info, infos)))
        self._miss(frozenset(NodeId(_text(node)) for node in lapsed))
        pairs = {NodeId(_text(node)): int(beat) for node, beat in zip(beats[::2], beats[1::2], strict=True)}
        for node in self._lapses.look(now_ms, pairs):
            if node != info.node and await self.registry.bury(node, pairs[node]):
                log.warning("node_lost", node=node)
        if noted < len(self._noted):
            await self.registry.note(info.node, *self._noted)
        if drain and not self._drained:
            self._drained = True
            _tell(self._on_drain)
        _tell(self._on_look)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            try:
                await self.beat()
            except LogUnavailable:
                log.debug("no_beat", node=self.node)

    def _info(self) -> NodeInfo:
        return msgspec.structs.replace(self._facts(), node=self.node)

    def _rise(self) -> None:
        """Go on as somebody else."""
        log.warning("node_was_given_up", node=self.node)
        self._present.pop(self.node, None)
        self.node = fresh_node()
        self._noted.clear()
        _tell(self._on_buried)

    def _meet(self, now_ms: int, infos: tuple[NodeInfo, ...]) -> None:
        if self._replied_ms is not None and now_ms - self._replied_ms > TOUCH_MS:
            for present in self._present.values():
                present.seen_ms = now_ms
        self._replied_ms = now_ms
        for info in infos:
            self._present[info.node] = _Present(info, now_ms)
        for node in [node for node, present in self._present.items() if now_ms - present.seen_ms > LEASE_MS]:
            del self._present[node]

    def _miss(self, lapsed: frozenset[NodeId]) -> None:
        fresh, self.lapsed = lapsed - self.lapsed, lapsed
        for node in sorted(fresh):
            self._present.pop(node, None)
            for callback in self._on_lapse:
                callback(node)


def _tell(callbacks: list[Callable[[], None]]) -> None:
    for callback in callbacks:
        callback()


def _info(data: bytes) -> NodeInfo:
    return msgspec.msgpack.decode(data, type=NodeInfo)


def _text(data: bytes | str) -> str:
    return data if isinstance(data, str) else data.decode()
