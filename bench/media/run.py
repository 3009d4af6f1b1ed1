# SPDX-License-Identifier: Apache-2.0
"""All servers of one call, one after the other: never two at a time on the server's core."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from msgspec import Struct

from bench.machine import Cores
from bench.media.contest import Server
from bench.media.engine import make_engine
from bench.media.holdspace import HoldspaceServer
from bench.media.janus import JanusServer
from bench.media.report import line
from bench.media.row import Row
from bench.media.search import Pace, Search, Searcher
from bench.media.trial import Fleet
from server.media.native.choice import NotBuilt, choose
from server.ports import MediaPath

Start = Callable[[str, int], Awaitable[Server]]
Say = Callable[[str], None]


class Plan(Struct, frozen=True):
    """What a call shall measure; no `rooms`: search for the most."""

    address: str
    """Of this host, for servers and clients."""
    cores: Cores
    pace: Pace
    rooms: tuple[int, ...] = ()


JANUS: Final = "janus"


def our_paths() -> dict[MediaPath, str]:
    """The paths of our server, with why one cannot be measured here; empty: it can."""
    reasons = {MediaPath.PURE: "", MediaPath.COMPILED: ""}
    try:
        choose(MediaPath.COMPILED)
    except NotBuilt as reason:
        reasons[MediaPath.COMPILED] = str(reason)
    return reasons


def contestants(paths: Iterable[MediaPath], *, janus: bool) -> dict[str, Start]:
    """Who is measured, in this order; our own by the path that forwards."""
    ours: dict[str, Start] = {path.value: partial(HoldspaceServer.start, path) for path in paths}
    return {**ours, JANUS: JanusServer.start} if janus else ours


async def search(name: str, start: Start, plan: Plan, say: Say) -> Search:
    """Everything about one server."""
    async with _searcher(name, start, plan, say) as searcher:
        return await searcher.search()


async def equal(name: str, start: Start, plan: Plan, say: Say) -> Row:
    """Once more the load at which costs are compared: what drifts meanwhile should not be one server's luck."""
    async with _searcher(name, start, plan, say) as searcher:
        return await searcher.equal()


async def rows(name: str, start: Start, plan: Plan, say: Say) -> tuple[Row, ...]:
    """Just the loads that were asked for."""
    async with _searcher(name, start, plan, say) as searcher:
        return await searcher.rows_of(plan.rooms)


@asynccontextmanager
async def _searcher(name: str, start: Start, plan: Plan, say: Say) -> AsyncIterator[Searcher]:
    """One server from start to end."""
    os.sched_setaffinity(0, {plan.cores.generator})
    server = await start(plan.address, plan.cores.server)
    try:
        fleet = Fleet(server, make_engine(), plan.cores)
        try:
            yield Searcher(fleet.measure, plan.pace, partial(_tell, say, name))
        finally:
            await fleet.close()
    finally:
        await server.close()


def _tell(say: Say, name: str, row: Row) -> None:
    say(line(name, row))
