# SPDX-License-Identifier: Apache-2.0
"""The simulated Redis answers as Redis and Valkey do: to our scripts, to what nodes ask, and to single commands."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.connection import Connection
from redis.exceptions import ResponseError

from tests.cluster.servers import KINDS, started
from tests.simulation.commands import COMMANDS, FUTURE, LOG, REGISTRY, ROOMS, Words, keys_of
from tests.simulation.loop import SimLoop
from tests.simulation.network import Net
from tests.simulation.redis_server import BASE_MS, Error, SimRedis
from tests.simulation.trace import Trace
from tests.simulation.truth import Truth

SOME = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
SLACK_MS = 30_000


@pytest.fixture(scope="module", params=KINDS)
def real(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A connection to a real server."""
    with started(request.param) as server:
        connection: Any = Connection(host="127.0.0.1", port=server.port, protocol=2)  # type: ignore[no-untyped-call]
        connection.connect()
        yield connection
        connection.disconnect()


def simulated() -> SimRedis:
    """A new one, at the present time."""
    loop = SimLoop()
    trace = Trace(loop.time)
    server = SimRedis(loop, Net(loop, "", trace), Truth(()), trace, "")
    server.skew_ms = time.time_ns() // 1_000_000 - BASE_MS
    loop.close()
    return server


def ask(connection: Connection, words: Words) -> Any:  # noqa: ANN401 - replies of any shape
    """What a real server answers; an error by its kind."""
    connection.send_command(*words, check_health=False)  # type: ignore[no-untyped-call]
    try:
        return connection.read_response()
    except ResponseError as error:
        return type(error).__name__ + str(error)[:9]


def told(server: SimRedis, words: Words) -> Any:  # noqa: ANN401
    """What the simulated one answers."""
    reply = server.execute(words)
    return "ResponseError" + kind_of(reply) if isinstance(reply, Error) else reply


def kind_of(error: Error) -> str:
    """As redis-py shows it: `ERR` is left out."""
    return str(error).removeprefix("ERR ")[:9]


def holdings(run: Any, keys: Words) -> list[Any]:  # noqa: ANN401 - asks either
    """Everything that stands under these keys, and for how long."""
    looks: tuple[Words, ...] = (
        [b"GET"],
        [b"HGETALL"],
        [b"SMEMBERS"],
        [b"ZRANGE", b"0", b"-1"],
        [b"XRANGE", b"-", b"+"],
        [b"XLEN"],
        [b"PTTL"],
    )
    return [plain(look[0], run([look[0], key, *look[1:]])) for key in keys for look in looks]


def plain(name: bytes, reply: Any) -> Any:  # noqa: ANN401
    """A reply without what is not promised: the order of a hash or set, the last milliseconds."""
    if name in (b"HGETALL", b"SMEMBERS", b"HVALS") and isinstance(reply, list):
        return sorted(reply)
    if name == b"PTTL":
        return round(reply / SLACK_MS) if reply > 0 else reply
    return reply


def same_answers(connection: Connection, sequence: list[Words], keys: Words) -> None:
    """Both answer every command alike, and hold the same afterwards."""
    server = simulated()
    told_of_itself = ask(connection, [b"INFO", b"replication"])
    server.history = told_of_itself.split(b"master_replid:")[1].split()[0]
    ask(connection, [b"FLUSHALL"])
    for words in sequence:
        ours, theirs = told(server, words), ask(connection, words)
        assert plain(words[0], ours) == plain(words[0], theirs), words
    assert holdings(lambda words: told(server, words), keys) == holdings(lambda words: ask(connection, words), keys)


@SOME
@given(sequence=st.lists(LOG, max_size=25))
def test_the_scripts_of_the_log(real: Connection, sequence: list[Words]) -> None:
    """The log's own calls, valid and stale ones, in any order."""
    buried = [[b"SET", keys_of(room)[4], b"%d" % FUTURE] for room in ROOMS]
    same_answers(real, [*buried, *sequence], [key for room in ROOMS for key in keys_of(room)])


@SOME
@given(sequence=st.lists(REGISTRY, max_size=25))
def test_what_nodes_ask(real: Connection, sequence: list[Words]) -> None:
    """Beats, burials, and rooms noted."""
    same_answers(real, [[*words] for words in sequence], [])


@SOME
@given(sequence=st.lists(COMMANDS, max_size=30))
def test_single_commands(real: Connection, sequence: list[Words]) -> None:
    """Each command that a script may use, also on keys of another kind."""
    same_answers(real, sequence, [b"{x}a", b"{x}b"])
