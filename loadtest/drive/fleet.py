# SPDX-License-Identifier: Apache-2.0
"""The servers under test: nodes that we start, kill, drain and start again; or somebody's own, by its address."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Final

from msgspec import Struct

from loadtest.embedded import EMBEDDED, redis_at
from loadtest.plan.scenario import Do, Scenario, Step
from loadtest.serving import OwnServer, ServerFailed, free_port, fresh_key, own_server
from server.ids import RoomId
from server.rooms.state import Role
from server.signaling.tokens import Claims, TokenKey, fresh_ticket_id, sign

TITLE: Final = "Load test"
TOKEN_SECONDS: Final = 48 * 3600
HIGHEST_CAPACITY: Final = 500


class NotOurs(ServerFailed):
    """A node that we have not started cannot be struck."""


class Target(Struct, frozen=True):
    """Where to, and the key that join tokens are signed with."""

    urls: tuple[str, ...]
    key: TokenKey
    metrics_urls: tuple[str, ...] = ()
    """Of the nodes in the same order, as far as there are any."""

    def token(self, room: RoomId, role: Role) -> str:
        """An invite for any number of people."""
        now = int(time.time())
        claims = Claims(
            iss=self.key.name,
            exp=now + TOKEN_SECONDS,
            nbf=now - 60,
            room=room,
            role=role,
            sub=None,
            jti=fresh_ticket_id(),
            title=TITLE,
        )
        return sign(self.key, claims)


class Fleet:
    """Nodes of our own; `servers` has None for one that is down."""

    def __init__(
        self, stack: AsyncExitStack, ports: Sequence[int], key: TokenKey, options: Sequence[str], output: int
    ) -> None:
        self._stack = stack
        self._key = key
        self._options = tuple(options)
        self._output = output
        self._ports = tuple(ports)
        self._operations = _ports(len(self._ports), besides=self._ports)
        self.servers: list[OwnServer | None] = [None for _ in ports]
        self._struck: set[int] = set()

    @property
    def target(self) -> Target:
        """Where to reach all of them."""
        urls = tuple(f"http://127.0.0.1:{port}" for port in self._ports)
        return Target(urls, self._key, tuple(f"http://127.0.0.1:{port}/metrics" for port in self._operations))

    async def start(self, node: int) -> None:
        """Start it (again), at the same address. Raises ServerFailed."""
        port = self._ports[node]
        options = ["--host", "127.0.0.1", "--log-level", "warning", *self._options]
        options += ["--ops-port", str(self._operations[node])]
        if len(self._ports) > 1:
            # Each media worker takes the next port.
            options += ["--node-url", f"http://127.0.0.1:{port}", "--media-workers", "1"]
        self.servers[node] = await self._stack.enter_async_context(
            own_server(port, *options, key=self._key, output=self._output)
        )

    async def strike(self, step: Step) -> float:
        """Do to a node what the step says; when it happened, by the monotonic clock."""
        server = self.servers[step.node]
        at_s = time.monotonic()
        if step.do is not Do.START_NODE:
            self._struck.add(step.node)
        match step.do:
            case Do.START_NODE:
                if server is None or server.process.returncode is not None:
                    await self.start(step.node)
                    self._struck.discard(step.node)
            case Do.KILL_NODE if server is not None:
                with suppress(ProcessLookupError):
                    # With its media workers: the machine is gone.
                    os.killpg(server.process.pid, signal.SIGKILL)
            case Do.DRAIN_NODE if server is not None:
                with suppress(ProcessLookupError):
                    server.process.terminate()
            case _:
                raise NotOurs(f"{step.do.value}: node {step.node} does not run")
        return at_s

    def fallen(self) -> list[tuple[int, int]]:
        """Nodes that have ended and that nobody struck, each told once, with their exit status."""
        found = []
        for node, server in enumerate(self.servers):
            if server is not None and server.process.returncode is not None and node not in self._struck:
                self._struck.add(node)
                found.append((node, server.process.returncode))
        return found


@asynccontextmanager
async def own_fleet(scenario: Scenario, options: Sequence[str], output: int) -> AsyncIterator[Fleet]:
    """As many nodes as the scenario wants, ready; several share a Valkey of their own. Raises ServerFailed.

    What they print goes to this file descriptor.
    """
    largest = max(family.people for family in scenario.rooms) + 2
    wanted = ["--auto-admit", "--capacity", str(min(HIGHEST_CAPACITY, max(60, largest)))]
    async with AsyncExitStack() as stack:
        if scenario.nodes > 1:
            wanted += ["--redis", await stack.enter_async_context(redis_at(EMBEDDED))]
        fleet = Fleet(stack, _ports(scenario.nodes), fresh_key(), [*wanted, *options], output)
        for node in range(scenario.nodes):
            await fleet.start(node)
        yield fleet


def _ports(count: int, besides: Sequence[int] = ()) -> list[int]:
    found: list[int] = []
    while len(found) < count:
        port = free_port()
        if port not in (*found, *besides):
            found.append(port)
    return found
