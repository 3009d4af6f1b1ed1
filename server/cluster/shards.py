# SPDX-License-Identifier: Apache-2.0
"""Which server has which keys: one server has all of them, the primaries of a Cluster divide them."""

from __future__ import annotations

from typing import Protocol

from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection

from server.cluster.connect import Client
from server.cluster.keys import tags
from server.cluster.primaries import PrimaryPipes


class Shards(Protocol):
    """The servers behind a client."""

    spread: bool
    """Whether keys of several slots cannot be in one command."""

    def names(self) -> dict[str, str]:
        """Each server, and a hash tag whose keys it has."""

    def owner(self, key: str) -> str | None:
        """The server of a key; None while nobody has it."""

    def connection(self, name: str) -> AbstractConnection:
        """A connection to this server, not connected yet. Raises redis-py's ConnectionError if it is gone."""


class OneShard:
    """One server, or the primary that Sentinel names."""

    spread = False

    def __init__(self, client: Redis) -> None:
        self._pool = client.connection_pool

    def names(self) -> dict[str, str]:
        return {"": tags()[0]}

    def owner(self, key: str) -> str | None:
        del key
        return ""

    def connection(self, name: str) -> AbstractConnection:
        del name
        connection: AbstractConnection = self._pool.make_connection()  # type: ignore[no-untyped-call]
        return connection


class ClusterShards:
    """The primaries of a Cluster, as the client knows them now."""

    spread = True

    def __init__(self, client: PrimaryPipes) -> None:
        self._client = client

    def names(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for tag in tags():
            owner = self._client.owner(tag)
            if owner is not None:
                found.setdefault(owner, tag)
        return found

    def owner(self, key: str) -> str | None:
        return self._client.owner(key)

    def connection(self, name: str) -> AbstractConnection:
        return self._client.connection(name)


def shards_of(client: Client) -> Shards:
    """The servers behind this client."""
    return ClusterShards(client) if isinstance(client, PrimaryPipes) else OneShard(client)
