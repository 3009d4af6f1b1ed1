# SPDX-License-Identifier: Apache-2.0
"""Three servers that are one system, as `make run` with REDIS=embedded NODES=3 starts them, and who comes to which."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from loadtest.demo import options_of
from loadtest.embedded import EMBEDDED, redis_at
from loadtest.serving import OwnServer, free_port, fresh_key, own_server
from server.cluster.connect import Client, client_of, disconnect
from server.cluster.keys import Keys
from server.cluster.nodes import Registry
from server.cluster.placements import Placements
from server.cluster.redis_log import RedisLog
from server.ids import ParticipantId, RoomId
from server.rooms.state import Role
from server.runner.core import ROOM_RULES

NODES: Final = 3


class System:
    """The servers that live, and the Valkey that they share. `homes`: whose link leads to which of them."""

    def __init__(self, servers: tuple[OwnServer, ...], client: Client, homes: Mapping[str, int]) -> None:
        self.servers = servers
        self._client = client
        self._homes = homes

    async def token(self, room: str, role: str, name: str) -> dict[str, str]:
        """A person's token, and the link to their own server: what `Cast` asks of a server."""
        server = self.server_of(name)
        token = server.token(RoomId(room), Role(role), person=ParticipantId(name.lower()), title="Nodes")
        return {"token": token, "url": f"http://localhost:{server.port}/#{token}"}

    def server_of(self, name: str) -> OwnServer:
        """The one that this person's link leads to."""
        return self.servers[self._homes[name]]

    async def met(self) -> None:
        """Wait until each knows all: their pages may go to servers only that were known when they were loaded."""
        async with asyncio.timeout(20):
            while len(await Registry(self._client).nodes()) < NODES:  # noqa: ASYNC110 - of other processes
                await asyncio.sleep(0.05)
        await asyncio.sleep(2)  # each looks once a second

    async def placements(self, room: str) -> dict[str, str]:
        """Where everybody is by the log."""
        loaded = await RedisLog(self._client).load(RoomId(room))
        if loaded is None:
            raise AssertionError("the room is gone")
        state = loaded.snapshot
        for seq, entry in enumerate(loaded.entries, loaded.snapshot_seq + 1):
            state = ROOM_RULES.fold(state, entry, seq)
        return {person.name: person.placement for person in state.participants.values()}

    async def carrier(self, room: str) -> OwnServer:
        """The server whose worker carries the media of the room."""
        place = await Placements(self._client, lambda name: Keys().key(name, "place")).find(RoomId(room))
        if place is None:
            raise AssertionError("the room has no media yet")
        (url,) = [info.url for info in await Registry(self._client).nodes() if info.node == place.node]
        (server,) = [server for server in self.servers if f"http://localhost:{server.port}" == url]
        return server


@asynccontextmanager
async def three_servers(homes: Mapping[str, int]) -> AsyncIterator[System]:
    """All of them up, and knowing of each other."""
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(redis_at(EMBEDDED))
        client = client_of(url)
        stack.push_async_callback(disconnect, client)
        key = fresh_key()
        starting = [own_server(port, *options_of(port, ["--redis", url]), key=key) for port in _ports()]
        servers = await asyncio.gather(*(stack.enter_async_context(server) for server in starting))
        system = System(tuple(servers), client, homes)
        await system.met()
        yield system


def _ports() -> tuple[int, ...]:
    return tuple(free_port() for _ in range(NODES))
