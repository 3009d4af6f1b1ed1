# SPDX-License-Identifier: Apache-2.0
"""What `server.cluster` uses of redis-py, over simulated connections: calls of a pool, and pub/sub connections.

As `server.cluster.connect` sets redis-py up: nothing is repeated, one second for a connection and one for a reply.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from redis.exceptions import ConnectionError as Lost
from redis.exceptions import NoScriptError, ResponseError
from redis.exceptions import TimeoutError as Late

from server.cluster.calls import CALL_S, CONNECT_S
from tests.simulation.loop import SimLoop
from tests.simulation.network import Net, Place, Wire
from tests.simulation.redis_server import Error, SimRedis
from tests.simulation.scripting import word

Words = list[bytes]


async def reach(net: Net, here: Place, server: SimRedis) -> Wire:
    """A connection to Redis. Raises what redis-py raises."""
    there = server.place
    if net.is_cut(here, there) or net.is_cut(there, here):
        await asyncio.sleep(CONNECT_S)
        raise Late("Timeout connecting to server")
    await asyncio.sleep(2 * net.delay_s(here, there))
    if not server.up:
        raise Lost("Error 111 connecting to redis. Connection refused.")
    wire = net.wire(here, server.place)
    server.accept(wire)
    return wire


class _Call:
    """A connection for commands."""

    def __init__(self, wire: Wire, loop: SimLoop) -> None:
        self.wire = wire
        self._loop = loop
        self._waiting: deque[asyncio.Future[Any]] = deque()
        wire.ends[0] = self

    async def ask(self, *commands: Words) -> list[Any]:
        """The replies, in order. Raises Lost or Late."""
        replies = [self._loop.create_future() for _ in commands]
        self._waiting.extend(replies)
        for words in commands:
            self.wire.send(0, words)
        deadline = self._loop.call_later(CALL_S, self._late, replies)
        try:
            return [await reply for reply in replies]
        finally:
            deadline.cancel()

    def take(self, message: object) -> None:
        waiting = self._waiting.popleft()
        if not waiting.done():
            waiting.set_result(message)

    def closed(self) -> None:
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_exception(Lost("Connection closed by server."))
                waiting.exception()  # only the first of a pipeline is awaited

    def _late(self, replies: list[asyncio.Future[Any]]) -> None:
        for reply in replies:
            if not reply.done():
                reply.set_exception(Late("Timeout reading from redis"))
                reply.exception()


class SimPipeline:
    """Commands that are sent together."""

    def __init__(self, client: SimClient) -> None:
        self._client = client
        self._commands: list[Words] = []

    def execute_command(self, *args: object) -> None:
        """Add one."""
        self._commands.append([word(arg) for arg in args])

    async def execute(self) -> list[Any]:
        """Send them."""
        return await self._client.ask(*self._commands)


class SimClient:
    """Stands for `redis.asyncio.Redis`, and for its connection pool."""

    def __init__(self, loop: SimLoop, net: Net, here: Place, server: SimRedis) -> None:
        self.connection_pool: Final = self
        self.open = True
        self._loop, self._net, self._here, self._server = loop, net, here, server
        self._idle: list[_Call] = []

    async def execute_command(self, *args: object) -> Any:  # noqa: ANN401 - replies of any shape
        """Send one command once."""
        return (await self.ask([word(arg) for arg in args]))[0]

    async def ask(self, *commands: Words) -> list[Any]:
        """Send commands over one connection, which is given up unless all is well."""
        if not self.open:
            raise Lost("closed")
        connection = await self._connection()
        try:
            replies = await connection.ask(*commands)
        except BaseException:
            connection.wire.close(0)
            raise
        self._idle.append(connection)
        for reply in replies:
            if isinstance(reply, Error):
                kind = NoScriptError if str(reply).startswith("NOSCRIPT") else ResponseError
                raise kind(str(reply))
        return replies

    async def _connection(self) -> _Call:
        while self._idle:
            connection = self._idle.pop()
            if not connection.wire.over[0]:
                return connection
        return _Call(await reach(self._net, self._here, self._server), self._loop)

    def make_connection(self) -> SimConnection:
        """For pub/sub."""
        return SimConnection(lambda: reach(self._net, self._here, self._server))

    def pipeline(self, *, transaction: bool) -> SimPipeline:
        """Several commands over one connection."""
        assert not transaction
        return SimPipeline(self)

    async def aclose(self) -> None:
        """End all connections."""
        self.open = False
        for connection in self._idle:
            connection.wire.close(0)

    # -- redis-py's names for commands ---------------------------------------------------------------------------------

    async def info(self, section: str) -> dict[str, Any]:
        """What is asked of a section."""
        if section == "server":
            await self.execute_command("TIME")
            return {"redis_version": "7.0.15"}
        lines = (await self.execute_command("INFO", section)).decode().splitlines()
        return {name: int(value) for name, _, value in (line.partition(":") for line in lines)}

    async def eval(self, script: str, numkeys: int, *rest: object) -> Any:  # noqa: ANN401
        """Run a script."""
        return await self.execute_command("EVAL", script, numkeys, *rest)

    async def sadd(self, name: str, *values: object) -> Any:  # noqa: ANN401
        """Add to a set."""
        return await self.execute_command("SADD", name, *values)

    async def srem(self, name: str, *values: object) -> Any:  # noqa: ANN401
        """Take out of a set."""
        return await self.execute_command("SREM", name, *values)

    async def smembers(self, name: str) -> Any:  # noqa: ANN401
        """A whole set."""
        return await self.execute_command("SMEMBERS", name)

    async def hvals(self, name: str) -> Any:  # noqa: ANN401
        """The values of a hash."""
        return await self.execute_command("HVALS", name)


class SimConnection:
    """Stands for a connection of redis-py on which somebody listens."""

    def __init__(self, reach_redis: Callable[[], Any]) -> None:
        self._reach = reach_redis
        self._wire: Wire | None = None
        self._messages: deque[Any] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._lost = False

    async def connect(self) -> None:
        """Raises what redis-py raises."""
        self._wire = await self._reach()
        self._wire.ends[0] = self

    async def disconnect(self, *, nowait: bool = False) -> None:
        """End it."""
        del nowait
        if self._wire is not None:
            self._wire.close(0)
        self.closed()

    async def send_command(self, *args: object, check_health: bool) -> None:
        """Send without waiting."""
        del check_health
        if self._wire is None or self._lost:
            raise Lost("not connected")
        self._wire.send(0, [word(arg) for arg in args])

    async def read_response(self, *, timeout: float) -> Any:  # noqa: ANN401, ASYNC109 - as redis-py has it
        """The next message, however long that takes."""
        del timeout
        while not self._messages:
            if self._lost:
                raise Lost("Connection closed by server.")
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return self._messages.popleft()

    def take(self, message: object) -> None:
        self._messages.append(message)
        self._wake()

    def closed(self) -> None:
        self._lost = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
