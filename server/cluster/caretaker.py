# SPDX-License-Identifier: Apache-2.0
"""Sees to what nobody is there for: seats that spoke through a node that is gone, and rooms that no node has loaded.

Every node does this for its share of the work, and for more when another one does not. Doing it twice has no effect.
Rooms that a node does not need any more leave its memory; the log keeps them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Final

import structlog

from server.cluster.ending import end
from server.cluster.home import home_of
from server.cluster.nodes import Nodes
from server.errors import CommandRejected, JoinRefused
from server.ids import CommandId, NodeId, RoomId, node_of
from server.ports import Clock, LogUnavailable, RoomLog
from server.rooms.commands import LoseConnections
from server.rooms.phases import SessionStatus
from server.runner.registry import Rooms
from server.runner.runner import RoomRunner

LOOK_S: Final = 1.0
LATE_MS: Final = 1_000
"""Nodes that have a room loaded see to its time-outs themselves, within this."""
DUE_LIMIT: Final = 200
PATIENCE: Final = 3
"""For so many looks the others leave a lost node to its home."""
STRANGE_LOOKS: Final = 6
"""A little more than a lease: whoever lives is known to Redis again by then."""
AT_ONCE: Final = 16
"""Rooms that are loaded at a time: all of a node would hold up the people here, and time out themselves."""
IDLE_LOOKS: Final = 10
"""For so many looks a room stays loaded that nobody here needs."""

log = structlog.get_logger()


class Caretaker:
    """`attended`: whether somebody is in a room through this node, or its media is carried here."""

    def __init__(
        self, rooms: Rooms, rooms_log: RoomLog, nodes: Nodes, clock: Clock, attended: Callable[[RoomId], bool]
    ) -> None:
        self._rooms = rooms
        self._log = rooms_log
        self._nodes = nodes
        self._clock = clock
        self._attended = attended
        self._waited: dict[NodeId, int] = {}
        self._idle: dict[RoomId, int] = {}
        self._looks = 0
        self._strange: frozenset[NodeId] = frozenset()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """End."""
        await end(self._task)

    async def look(self) -> None:
        """Do what is to be done now. Raises LogUnavailable while the log is away.

        Where the log of some rooms is away they are passed over until the next look, and the others do not wait.
        """
        await asyncio.gather(self._release(), self._wake())
        await self._unload()
        self._looks += 1
        if self._looks % STRANGE_LOOKS == 0:
            await self._give_up_strangers()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.look()
            except LogUnavailable as error:
                log.info("looked_in_vain", error=type(error).__name__)

    async def _release(self) -> None:
        """Let the grace of all seats begin that spoke through a lost node."""
        orphans, live = self._nodes.orphans, [info.node for info in self._nodes.live()]
        self._waited = {node: self._waited.get(node, 0) + 1 for node in orphans}
        for node in sorted(orphans):
            if home_of(node, live) == self._nodes.node or self._waited[node] > PATIENCE:
                rooms = await self._nodes.registry.rooms_of(node)
                if all(await _each(rooms, partial(self._lose, node))):
                    await self._nodes.registry.settled(node)

    async def _lose(self, node: NodeId, room: RoomId) -> None:
        runner = await self._rooms.find(room)
        if runner is not None:
            # Asked even if no such seat is known here: the log may know more.
            await runner.submit(LoseConnections(node), None, CommandId(f"lost:{node}:{runner.epoch}:{runner.seq}"))
        await self._nodes.registry.unnote(node, room)

    async def _give_up_strangers(self) -> None:
        """Bury nodes that seats speak through and Redis does not know: it has lost them, or which rooms they had."""
        strangers = self._strangers()
        for node, room in sorted(strangers):
            if node in self._strange:
                await self._nodes.registry.note(node, room)
                await self._nodes.registry.bury(node)
        self._strange = frozenset(node for node, _ in strangers)

    def _strangers(self) -> set[tuple[NodeId, RoomId]]:
        live = {info.node for info in self._nodes.live()}
        if self._nodes.node not in live:
            return set()
        known = live | self._nodes.orphans
        seats = ((seat.connection, runner.room) for runner in self._rooms.all() for seat in runner.state.seats.values())
        return {(node_of(name), room) for name, room in seats if name is not None and node_of(name) not in known}

    async def _wake(self) -> None:
        """Load rooms whose time has come although nobody has them loaded; the rest happens by itself."""
        live = sorted(info.node for info in self._nodes.live())
        if self._nodes.node not in live:
            return
        share = live.index(self._nodes.node), len(live)
        rooms = await self._log.due(self._clock.now_ms() - LATE_MS, DUE_LIMIT, share)
        await _each(rooms, self._rooms.find)

    async def _unload(self) -> None:
        """Forget rooms here that nobody has needed for a while."""
        idle = [runner for runner in self._rooms.all() if not self._needed(runner)]
        self._idle = {runner.room: self._idle.get(runner.room, 0) + 1 for runner in idle}
        for runner in idle:
            if self._idle[runner.room] > IDLE_LOOKS:
                self._rooms.unload(runner)
                await self._nodes.forget(runner.room)

    def _needed(self, runner: RoomRunner) -> bool:
        """Whether the room has to stay: somebody is in it or about to be, or it is over and has to be erased."""
        state = runner.state
        if self._attended(runner.room) or not runner.idle or state.status is SessionStatus.ENDED:
            return True
        return any(seat.connection and node_of(seat.connection) == self._nodes.node for seat in state.seats.values())


async def _each(rooms: Iterable[RoomId], work: Callable[[RoomId], Awaitable[object]]) -> list[bool]:
    """Do this for each room, a few at a time; returns for each whether it could be done."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(room: RoomId) -> bool:
        async with turn:
            return await _whether(work(room))

    return await asyncio.gather(*map(one, rooms))


async def _whether(work: Awaitable[object]) -> bool:
    """Whether this could be done: the log of that room may be away while others are there."""
    try:
        await work
    except (LogUnavailable, JoinRefused, CommandRejected) as error:
        log.info("looked_in_vain", error=type(error).__name__)
        return False
    return True
