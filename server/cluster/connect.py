# SPDX-License-Identifier: Apache-2.0
"""Connections to Redis or Valkey: one server, Sentinel, or a Cluster. The only place that configures redis-py.

redis-py repeats a command up to ten times by default, so that one append whose reply is lost would be executed twice or
more: every client made here repeats nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final, cast
from urllib.parse import parse_qsl, unquote, urlsplit

import structlog
from redis.asyncio import Redis, Sentinel
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.backoff import NoBackoff

from server.cluster.calls import CALL_S, CONNECT_S, FAULTS, why
from server.cluster.primaries import PrimaryPipes

MAX_CONNECTIONS: Final = 1024
OLDEST: Final = (6, 2)
SHARDED_SINCE: Final = (7, 0)
"""The version that brought sharded pub/sub."""
_PORTS: Final = {"redis+sentinel": 26379, "redis+cluster": 6379}

Client = Redis | PrimaryPipes
Options = Mapping[str, Any]

_log: Final = structlog.get_logger("holdspace.redis")


class Sentinels(Sentinel):
    """Looks for the primary once at a time.

    redis-py puts the Sentinel that knew it to the front, by its place when the search began: of two searches at once,
    as in a failover, the second puts it twice into the list, and another Sentinel is forgotten for good.
    """

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - the library's
        super().__init__(*args, **options)  # type: ignore[no-untyped-call]
        self._turn = asyncio.Lock()

    async def discover_master(self, service_name: str) -> tuple[str, int]:
        """Address and port. Raises MasterNotFoundError."""
        async with self._turn:
            address: tuple[str, int] = await super().discover_master(service_name)
            return address


class UnsuitableRedis(Exception):
    """This Redis would lose rooms, or cannot be used; the text says what to configure."""


async def connect(url: str) -> Client:
    """A client that has reached its server and found it suitable.

    `redis://`, `rediss://` (TLS), `redis+sentinel://host:port,host:port/service`, `redis+cluster://host:port,...`; a
    name and password before the hosts, `?ssl=true` for TLS with Sentinel and Cluster.
    Raises UnsuitableRedis, also when nothing answers there, and ValueError for another URL.
    """
    client = client_of(url)
    try:
        await check(client)
    except UnsuitableRedis:
        await disconnect(client)
        raise
    return client


async def check(client: Client) -> None:
    """Reach the server. Raises UnsuitableRedis, also when nothing answers."""
    try:
        await _check(client)
    except FAULTS as error:
        raise UnsuitableRedis(f"Redis does not answer: {why(error)}") from error


def client_of(url: str) -> Client:
    """A client that has not connected yet. Raises ValueError."""
    scheme = urlsplit(url).scheme
    if scheme in {"redis", "rediss"}:
        return Redis.from_url(url, **_options(), max_connections=MAX_CONNECTIONS)
    if scheme in _PORTS:
        return _sentinel(url) if scheme == "redis+sentinel" else _cluster(url)
    raise ValueError("a Redis URL begins with redis://, rediss://, redis+sentinel:// or redis+cluster://")


async def disconnect(client: Client) -> None:
    """Close all connections."""
    if isinstance(client, PrimaryPipes):
        await client.hang_up()
    await client.aclose()
    pool = getattr(client, "connection_pool", None)
    if isinstance(pool, SentinelConnectionPool):
        for sentinel in pool.sentinel_manager.sentinels:
            await sentinel.aclose()


async def sharded(client: Client) -> bool:
    """Whether the server knows sharded pub/sub."""
    return all(_version(info) >= SHARDED_SINCE for info in await infos(client, "server"))


def _options() -> dict[str, Any]:
    return {
        "retry": Retry(NoBackoff(), 0),
        "socket_connect_timeout": CONNECT_S,
        "socket_timeout": CALL_S,
        "protocol": 2,
    }


def _hosts(url: str) -> tuple[list[tuple[str, int]], dict[str, Any]]:
    """The hosts of a list, and the options that name and password and query make."""
    parts = urlsplit(url)
    login, _, hosts = parts.netloc.rpartition("@")
    name, _, password = login.partition(":")
    options = {key: value for key, value in (("username", unquote(name)), ("password", unquote(password))) if value}
    found = []
    for host in hosts.split(","):
        address, colon, port = host.rpartition(":")
        if colon and not port.isdecimal():
            raise ValueError(f"{port!r} is no port")
        found.append((address.strip("[]"), int(port)) if colon else (port, _PORTS[parts.scheme]))
    tls = {"ssl": True} if dict(parse_qsl(parts.query)).get("ssl") == "true" else {}
    return found, {**options, **tls}


def _sentinel(url: str) -> Redis:
    hosts, login = _hosts(url)
    service = urlsplit(url).path.strip("/")
    if not service:
        raise ValueError("redis+sentinel://host:port,host:port/service names no service")
    tls = {key: value for key, value in login.items() if key == "ssl"}
    sentinels = Sentinels(hosts, sentinel_kwargs={**_options(), **tls}, **_options(), **login)
    return cast("Redis", sentinels.master_for(service, max_connections=MAX_CONNECTIONS))


def _cluster(url: str) -> PrimaryPipes:
    hosts, login = _hosts(url)
    nodes = [ClusterNode(host, port) for host, port in hosts]
    return PrimaryPipes(startup_nodes=nodes, max_connections=MAX_CONNECTIONS, **_options(), **login)


# -- is it fit ---------------------------------------------------------------------------------------------------------


async def infos(client: Client, section: str) -> tuple[Options, ...]:
    """INFO of each primary. Raises one of FAULTS."""
    if isinstance(client, PrimaryPipes):
        answers = await client.info(section, target_nodes=PrimaryPipes.PRIMARIES)
        return tuple(answers.values()) if all(isinstance(v, dict) for v in answers.values()) else (answers,)
    return (await client.info(section),)


def _version(info: Options) -> tuple[int, ...]:
    major, minor, *_ = str(info["redis_version"]).split(".")
    return int(major), int(minor)


async def _check(client: Client) -> None:
    for info in await infos(client, "server"):
        if _version(info) < OLDEST:
            raise UnsuitableRedis(f"Redis {info['redis_version']} is too old: 6.2 or newer is needed, 7.0 is better")
        if isinstance(client, PrimaryPipes) and _version(info) < SHARDED_SINCE:
            raise UnsuitableRedis(
                f"Redis {info['redis_version']} has no sharded pub/sub: a Cluster needs 7.0 or newer."
                " One server, or one with Sentinel, may be 6.2"
            )
    for info in await infos(client, "memory"):
        policy = info.get("maxmemory_policy", "noeviction")
        if policy != "noeviction":
            raise UnsuitableRedis(
                f"maxmemory-policy is {policy}: Redis would throw rooms away when its memory is full."
                " Set `maxmemory-policy noeviction`"
            )
    for info in await infos(client, "persistence"):
        if not int(info.get("aof_enabled", 0)):
            _log.warning("redis_not_durable", problem="appendonly is off: when Redis restarts, rooms are gone")
            return
