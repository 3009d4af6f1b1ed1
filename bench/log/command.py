# SPDX-License-Identifier: Apache-2.0
"""`holdspace bench log`: exit status 1 when it cannot be measured here."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter
from cyclopts.validators import Number
from msgspec import json

from bench.log.measure import BATCH, TAIL, Costs, measure, target
from bench.machine import TooFewCores, pinned, two_cores
from bench.stores import Kind, Missing

_LOGS: Final[dict[str, Kind | None]] = {"memory": None, "redis": "redis", "valkey": "valkey"}
_CALLS: Final = {
    "create": "create",
    "alone": "append, alone",
    "append": "append, many rooms",
    "batched": f"... {BATCH} entries each",
    "read": f"read of {TAIL}",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class LogOptions:
    """What to measure."""

    rooms: Annotated[int, Parameter(help="Rooms that append at once.", validator=Number(gte=1))] = 64
    calls: Annotated[int, Parameter(help="Calls of each kind.", validator=Number(gte=64))] = 6400
    json: Annotated[Path | None, Parameter(help="Write the report to this file, too.")] = None


async def log(*, options: Annotated[LogOptions, Parameter(name="*")] = LogOptions()) -> None:
    """One append, read and create: CPU of this process and of the store, and the time until it is answered.

    The store runs on one core, this process on the other. Needs Linux and two cores.
    """
    try:
        cores = two_cores()
    except TooFewCores:
        print("holdspace bench log: two cores are needed", file=sys.stderr)
        sys.exit(1)
    found: dict[str, Costs] = {}
    print(
        f"{'log':>8} {'call':>22} {'calls/s':>9} {'our us':>8} {'store us':>9} {'p50 ms':>8} {'p99 ms':>8}", flush=True
    )
    for name, kind in _LOGS.items():
        try:
            async with target(kind, cores.server) as at:
                with pinned(cores.generator):
                    costs = found[name] = await measure(at, rooms=options.rooms, calls=options.calls)
        except Missing as error:
            print(f"{name} is out: {error}", file=sys.stderr)
            continue
        for line in lines(name, costs):
            print(line, flush=True)
    if options.json is not None:
        options.json.write_bytes(json.format(json.encode(found), indent=1) + b"\n")


def lines(name: str, costs: Costs) -> list[str]:
    """Of the table."""
    return [
        f"{name:>8} {words:>22} {cost.per_s:>9,.0f} {cost.client_us:>8.1f} {cost.store_us:>9.1f}"
        f" {cost.p50_ms:>8.3f} {cost.p99_ms:>8.3f}"
        for call, words in _CALLS.items()
        for cost in (getattr(costs, call),)
    ]
