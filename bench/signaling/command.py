# SPDX-License-Identifier: Apache-2.0
"""`holdspace bench signaling`: exit status 1 when it cannot be measured here."""

from __future__ import annotations

import asyncio
import json as json_format
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter
from cyclopts.validators import Number
from msgspec import json, structs

from bench.machine import Cores, TooFewCores, two_cores
from bench.signaling.generator import Figures, Plan, Shared
from bench.signaling.media import kib_with_media
from bench.signaling.report import document, heading, line, ratios, shared_heading, shared_line
from bench.signaling.servers import (
    Size,
    Start,
    Unavailable,
    holdspace,
    holdspace_shared,
    node,
    node_shared,
    stock,
    stock_shared,
)
from bench.stores import Missing
from loadtest.serving import ServerFailed

OURS: Final = "holdspace"
_LIMIT_S: Final = 300.0
_SERVERS: Final[dict[str, Start]] = {OURS: holdspace, "node": node, "stock": stock}
_SHARED: Final[dict[str, Start]] = {OURS: holdspace_shared, "node": node_shared, "stock": stock_shared}
"""Two nodes on one Redis: ours, socket.io's redis-adapter, python-socketio's AsyncRedisManager."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SignalingOptions:
    """What to measure."""

    rooms: Annotated[int, Parameter(help="Rooms of twelve.", validator=Number(gte=1))] = 100
    hall: Annotated[int, Parameter(help="People in the one large room.", validator=Number(gte=2, lte=500))] = 500
    seconds: Annotated[float, Parameter(help="How long the rooms talk.", validator=Number(gte=1))] = 5.0
    samples: Annotated[int, Parameter(help="Events in the large room.", validator=Number(gte=10))] = 100
    repeats: Annotated[int, Parameter(help="Rounds over all servers; the median counts.", validator=Number(gte=1))] = 1
    nodes: Annotated[bool, Parameter(help="Measure two nodes on one Redis, too.")] = True
    peers: Annotated[bool, Parameter(help="Run Node's socket.io and stock python-socketio on the same work.")] = True
    media: Annotated[bool, Parameter(help="Measure the memory of people with media, too.")] = True
    json: Annotated[Path | None, Parameter(help="Write the report to this file, too.")] = None


async def signaling(*, options: Annotated[SignalingOptions, Parameter(name="*")] = SignalingOptions()) -> None:
    """Connecting (W1), telling rooms of twelve (W2) and one large room (W3), answering (W4).

    The server runs on one core, the generator on the other. Needs Linux and two cores.
    """
    try:
        cores = two_cores()
    except TooFewCores:
        print("holdspace bench signaling: two cores are needed", file=sys.stderr)
        sys.exit(1)
    servers = _SERVERS if options.peers else {OURS: holdspace}
    found: dict[str, list[Figures]] = {name: [] for name in servers}
    print(heading(), flush=True)
    for _ in range(options.repeats):
        for name, start in servers.items():
            try:
                figures = await _measure(start, options, cores)
            except (Unavailable, ServerFailed) as error:
                print(f"{name} is out: {error}", file=sys.stderr)
                continue
            found[name].append(figures)
            print(line(name, figures), flush=True)
    if not found[OURS]:
        sys.exit(1)
    print(ratios(found, OURS))
    shared = await _shared(options, cores) if options.nodes else {}
    kib = await kib_with_media(cores.server) if options.media else None
    if kib is not None:
        print(f"Memory of each idle person with media: {kib:.1f} KiB.")
    if options.json is not None:
        options.json.write_text(json_format.dumps(document(found, OURS, shared, kib), indent=1) + "\n")


async def _shared(options: SignalingOptions, cores: Cores) -> dict[str, Shared]:
    """One round of two nodes on one Redis."""
    found: dict[str, Shared] = {}
    print(shared_heading(), flush=True)
    for name, start in (_SHARED if options.peers else {OURS: holdspace_shared}).items():
        try:
            found[name] = json.decode(await _generated(start, options, cores), type=Shared)
        except (Unavailable, Missing, ServerFailed) as error:
            print(f"{name} is out: {error}", file=sys.stderr)
            continue
        print(shared_line(name, found[name]), flush=True)
    return found


async def _measure(start: Start, options: SignalingOptions, cores: Cores) -> Figures:
    return json.decode(await _generated(start, options, cores), type=Figures)


async def _generated(start: Start, options: SignalingOptions, cores: Cores) -> bytes:
    async with start(Size(options.rooms, options.hall), cores.server) as server:
        plan = Plan(**structs.asdict(server), seconds=options.seconds, samples=options.samples)
        return await asyncio.to_thread(_generate, plan, cores.generator)


def _generate(plan: Plan, core: int) -> bytes:
    done = subprocess.run(
        [sys.executable, "-m", "bench.signaling.generator"],
        input=json.encode(plan),
        stdout=subprocess.PIPE,
        check=False,
        timeout=_LIMIT_S,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    )
    if done.returncode:
        raise Unavailable("the generator failed; its last words are above")
    return done.stdout
