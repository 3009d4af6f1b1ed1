# SPDX-License-Identifier: Apache-2.0
"""Calls to a Cluster: a pipe to each primary, so that one that is away keeps nobody waiting for the others.

redis-py's own way: after one failed call every call waits until all is asked anew which server has which slots, the
silent one among the asked; after a few MOVED, or one CLUSTERDOWN, it closes all connections. Here a call waits for its
own server only, and who has what is asked on the side. MOVED, ASK and TRYAGAIN say that nothing was executed, so that
going where they point is no second try.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from redis.asyncio import RedisCluster
from redis.asyncio.cluster import ClusterNode, ClusterPubSub
from redis.asyncio.connection import AbstractConnection
from redis.crc import key_slot
from redis.exceptions import AskError, ClusterDownError, MovedError, ResponseError, SlotNotCoveredError, TryAgainError
from redis.exceptions import ConnectionError as Disconnected

from server.cluster.calls import CALL_S, FAULTS, Reply, Word
from server.cluster.ending import begin, end
from server.cluster.pipe import Pipe

LOOK_S: Final = 0.25
"""So often at most it is asked who has which slots."""
AGAIN_S: Final = 0.02
"""After TRYAGAIN: some keys of the slot are here and some are there."""
_KEY_AT: Final = {"EVAL": 3, "EVALSHA": 3}
_FIRST: Final = frozenset({"SET", "DEL", "EXISTS", "SADD", "SREM", "SMEMBERS", "HVALS", "HMGET", "SPUBLISH", "PUBLISH"})
_ANYWHERE: Final = frozenset({"PUBLISH"})
"""Every server hands these on to all; the key only says whom to ask first."""


class PrimaryPipes(RedisCluster):
    """redis-py's client, whose calls with a key take a way of their own; the rest (INFO) takes the library's.

    Topology is redis-py's (`nodes_manager`), renewed by a task of ours.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - the library's
        super().__init__(*args, **kwargs)
        self._pipes: dict[str, Pipe] = {}
        self._looking: asyncio.Task[None] | None = None

    async def execute_command(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the library's
        """Send a command once; raises one of FAULTS."""
        key = None if kwargs else key_of(args)
        if key is None:
            return await super().execute_command(*args, **kwargs)
        if not self.nodes_manager.slots_cache:
            await self.initialize()
        if args[0] in _ANYWHERE:
            return await self._pipe(self._sound(self.owner(key))).execute_command(*args)
        return await self._follow(key, args)

    async def ask(self, key: str, *args: Word) -> Reply:
        """Send a command that has no key to the server of this key. Raises one of FAULTS."""
        return await self._pipe(self._owner(key)).execute_command(*args)

    def owner(self, key: str | bytes) -> str | None:
        """The primary that has this key; None while nobody has it."""
        slot = key_slot(key if isinstance(key, bytes) else key.encode())
        nodes = self.nodes_manager.slots_cache.get(slot)
        return nodes[0].name if nodes else None

    def connection(self, name: str) -> AbstractConnection:
        """A connection to this server, not connected yet. Raises redis-py's ConnectionError if it is gone."""
        node = self.nodes_manager.nodes_cache.get(name)
        if node is None:
            raise Disconnected("no server of this Cluster any more")
        connection: AbstractConnection = node.connection_class(**node.connection_kwargs)
        return connection

    def pubsub(
        self,
        node: ClusterNode | None = None,
        host: str | None = None,
        port: int | None = None,
        **kwargs: Any,  # noqa: ANN401 - the library's
    ) -> ClusterPubSub:
        """A subscription at a server that answers."""
        if node is None and host is None:
            name = self._sound(None)
            node = None if name is None else self.nodes_manager.nodes_cache.get(name)
        return super().pubsub(node, host, port, **kwargs)

    async def hang_up(self) -> None:
        """Close the pipes."""
        await end(self._looking)
        for pipe in tuple(self._pipes.values()):
            await pipe.close()

    # -- details -------------------------------------------------------------------------------------------------------

    async def _follow(self, key: str | bytes, args: Sequence[Word]) -> Reply:
        """Go where the servers point, for as long as a call may take."""
        name, asking = self._owner(key), False
        over = asyncio.get_running_loop().time() + CALL_S
        while True:
            try:
                return await self._send(name, args, asking=asking)
            except MovedError as moved:
                fault: Exception = moved
                await self.nodes_manager.move_slot(moved)
                name, asking = self._owner(key), False
                self._doubt(None)
            except AskError as ask:
                fault = ask
                name, asking = f"{ask.host}:{ask.port}", True
            except TryAgainError as again:
                fault = again
                await asyncio.sleep(AGAIN_S)
            except ClusterDownError:
                self._doubt(name)
                raise
            if asyncio.get_running_loop().time() >= over:
                raise fault

    async def _send(self, name: str, args: Sequence[Word], *, asking: bool) -> Reply:
        pipe = self._pipe(name)
        try:
            if not asking:
                return await pipe.execute_command(*args)
            # Made in one turn of the loop, they follow each other on the connection.
            _, reply = await asyncio.gather(pipe.execute_command("ASKING"), pipe.execute_command(*args))
        except ResponseError:  # it answers
            raise
        except FAULTS:
            self._doubt(name)
            raise
        return reply

    def _pipe(self, name: str | None) -> Pipe:
        if name is None:
            raise SlotNotCoveredError("no server of the Cluster has this")
        pipe = self._pipes.get(name)
        if pipe is None:
            pipe = self._pipes[name] = Pipe(lambda: self.connection(name))
        return pipe

    def _owner(self, key: str | bytes) -> str:
        name = self.owner(key)
        if name is None:
            self._doubt(None)
            raise SlotNotCoveredError("no server of the Cluster has this")
        return name

    def _sound(self, first: str | None) -> str | None:
        """This primary, unless it has left the last call unanswered; then one that has not.

        If all have, the one whose failure lies back the furthest: nobody may have called it since.
        """
        names = sorted((node.name for node in self.get_primaries()), key=lambda name: name != first)
        return min(names, key=self._failed_s, default=None)

    def _failed_s(self, name: str) -> float:
        pipe = self._pipes.get(name)
        failed_s = None if pipe is None else pipe.failed_s
        return -math.inf if failed_s is None else failed_s

    def _doubt(self, failed: str | None) -> None:
        """Ask on the side who has which slots, the one that failed last of all."""
        if self._looking is None or self._looking.done():
            self._looking = begin(self._look(failed))

    async def _look(self, failed: str | None) -> None:
        with suppress(*FAULTS):  # what is known stays; the next failed call asks again
            await self.nodes_manager.initialize(last_failed_node_name=failed)
        for name in self._pipes.keys() - self.nodes_manager.nodes_cache.keys():
            await self._pipes.pop(name).close()
        await asyncio.sleep(LOOK_S)


def key_of(args: Sequence[Any]) -> str | bytes | None:
    """The key that says which server a command goes to; None: it has none, or it is not one of ours."""
    if args[0] in _FIRST:
        key: str | bytes = args[1]
        return key
    at = _KEY_AT.get(args[0])
    return None if at is None or int(args[2]) == 0 else args[at]
