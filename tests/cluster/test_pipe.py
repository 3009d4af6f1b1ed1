# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ResponseError

from server.cluster import pipe as pipes
from server.cluster.calls import FAULTS
from server.cluster.connect import client_of, disconnect
from server.cluster.pipe import Pipe
from server.cluster.shards import OneShard
from tests.cluster.servers import redis_server


class Tap:
    """Opens connections, and counts them and what is written."""

    def __init__(self, shard: OneShard) -> None:
        self._shard = shard
        self.opened = 0
        self.writes = 0
        self.closed = False
        """Whether writing meets a transport that is closed already, as uvloop tells it."""

    def open(self) -> AbstractConnection:
        self.opened += 1
        connection = self._shard.connection("")
        send = connection.send_packed_command

        async def counted(command: bytes, check_health: bool = True) -> None:
            if self.closed:
                raise RuntimeError("unable to perform operation on a closed transport; the handler is closed")
            self.writes += b"EVAL" in command or b"ECHO" in command
            await send(command, check_health)

        connection.send_packed_command = counted  # type: ignore[method-assign,assignment]
        return connection


@asynccontextmanager
async def piped(url: str) -> AsyncIterator[tuple[Pipe, Tap]]:
    """A pipe to this server."""
    client = client_of(url)
    assert isinstance(client, Redis)
    tap = Tap(OneShard(client))
    pipe = Pipe(tap.open)
    try:
        yield pipe, tap
    finally:
        await pipe.close()
        await disconnect(client)


async def test_calls_of_one_turn_are_one_write_and_answered_in_order() -> None:
    """An error is that of its own call, and whoever has gone takes no answer from others."""
    async with redis_server("redis") as server, piped(server.url) as (pipe, tap):
        assert await pipe.execute_command("ECHO", "first") == b"first"
        before = tap.writes
        calls = [asyncio.ensure_future(pipe.execute_command("ECHO", str(number))) for number in range(50)]
        wrong = asyncio.ensure_future(pipe.execute_command("EVALSHA", "0" * 40, 0))
        last = asyncio.ensure_future(pipe.execute_command("ECHO", "last"))
        await asyncio.sleep(0)
        calls[7].cancel()
        answers = await asyncio.gather(*calls, wrong, last, return_exceptions=True)
        assert tap.writes == before + 1
        assert tap.opened == 1
        assert isinstance(answers[7], asyncio.CancelledError)
        assert [each for number, each in enumerate(answers[:50]) if number != 7] == [
            str(number).encode() for number in range(50) if number != 7
        ]
        assert isinstance(answers[50], ResponseError)
        assert answers[51] == b"last"


async def test_a_server_that_is_gone_fails_all_calls_and_is_found_again() -> None:
    """Nothing is sent twice: every call on the lost connection fails, the next one opens another."""
    async with redis_server("redis") as server, piped(server.url) as (pipe, tap):
        await pipe.execute_command("ECHO", "here")
        calls = [asyncio.ensure_future(pipe.execute_command("BLPOP", f"none-{number}", 0)) for number in range(3)]
        await asyncio.sleep(0.05)
        server.kill()
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(answer, FAULTS) for answer in answers)
        with pytest.raises(FAULTS):
            await pipe.execute_command("ECHO", "nobody")
        await server.restart()
        assert await pipe.execute_command("ECHO", "again") == b"again"
        assert tap.opened == 3


async def test_a_transport_that_was_just_closed_is_a_lost_connection() -> None:
    """The call fails like any other there, and the next one opens another connection."""
    async with redis_server("redis") as server, piped(server.url) as (pipe, tap):
        await pipe.execute_command("ECHO", "here")
        tap.closed = True
        with pytest.raises(FAULTS):
            await pipe.execute_command("ECHO", "lost")
        tap.closed = False
        assert await pipe.execute_command("ECHO", "again") == b"again"
        assert tap.opened == 2


async def test_a_silent_server_fails_calls_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also while connecting, and in the order in which they were made."""
    monkeypatch.setattr(pipes, "CALL_S", 0.2)
    async with redis_server("redis") as server, piped(server.url) as (pipe, _):
        await pipe.execute_command("ECHO", "here")
        server.pause()
        begun = time.monotonic()
        for _ in range(2):
            with pytest.raises(TimeoutError):
                await pipe.execute_command("ECHO", "silence")
        assert time.monotonic() - begun < 3
        server.resume()
        monkeypatch.setattr(pipes, "CALL_S", 5.0)
        assert await pipe.execute_command("ECHO", "again") == b"again"
