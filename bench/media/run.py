# SPDX-License-Identifier: Apache-2.0
"""All servers of one call, one after the other: never two at a time on the server's core."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from functools import partial

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

Start = Callable[[str, int], Awaitable[Server]]
Say = Callable[[str], None]


class Plan(Struct, frozen=True):
    """What a call shall measure; no `rooms`: search for the most."""

    address: str
    """Of this host, for servers and clients."""
    cores: Cores
    pace: Pace
    rooms: tuple[int, ...] = ()


def contestants(*, janus: bool) -> dict[str, Start]:
    """Who is measured, in this order; our own by the path that forwards."""
    ours: dict[str, Start] = {"pure": HoldspaceServer.start}
    return {**ours, "janus": JanusServer.start} if janus else ours


async def measure(name: str, start: Start, plan: Plan, say: Say) -> Search | None:
    """One server from start to end; None when only given rooms were asked for."""
    os.sched_setaffinity(0, {plan.cores.generator})
    server = await start(plan.address, plan.cores.server)
    try:
        fleet = Fleet(server, make_engine(), plan.cores)
        searcher = Searcher(fleet.measure, plan.pace, partial(_tell, say, name))
        try:
            if not plan.rooms:
                return await searcher.search()
            await searcher.rows_of(plan.rooms)
            return None
        finally:
            await fleet.close()
    finally:
        await server.close()


def _tell(say: Say, name: str, row: Row) -> None:
    say(line(name, row))
