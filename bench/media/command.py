# SPDX-License-Identifier: Apache-2.0
"""`holdspace bench media`: exit status 1 when it cannot be measured here."""

from __future__ import annotations

import json as json_format
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn, TypeVar

from cyclopts import Parameter
from cyclopts.validators import Number
from msgspec import structs

from bench.machine import TooFewCores, own_address, two_cores
from bench.media.contest import ServerFailed
from bench.media.engine import NoCompiler
from bench.media.report import document, heading, loads, summary
from bench.media.row import Row
from bench.media.run import JANUS, Plan, Start, contestants, equal, our_paths, rows, search
from bench.media.search import Pace, Search
from bench.media.workshop import document as workshops
from bench.media.workshop import workshop
from server.ports import MediaPath

Found = TypeVar("Found")

_QUICK_SECONDS: Final = 8.0
_QUICK_TRIAL_SECONDS: Final = 3.0


@dataclass(frozen=True, kw_only=True, slots=True)
class MediaOptions:
    """What to measure."""

    rooms: Annotated[
        tuple[int, ...],
        Parameter(
            help="Just these numbers of rooms. Default: search for the most.", consume_multiple=True, negative=""
        ),
    ] = ()
    workshop: (
        Annotated[
            int, Parameter(help="One room of so many people, plenary and breakouts, instead.", validator=Number(gte=24))
        ]
        | None
    ) = None
    seconds: Annotated[float, Parameter(help="Length of a measurement that counts.", validator=Number(gte=1))] = 30.0
    quick: Annotated[bool, Parameter(negative="", help="Short measurements: for a look, not for figures.")] = False
    janus: Annotated[bool, Parameter(help="Run Debian's Janus on the same work.")] = True
    path: Annotated[
        tuple[MediaPath, ...],
        Parameter(help="Only these paths of ours. Default: all that are built.", consume_multiple=True, negative=""),
    ] = ()
    address: Annotated[
        str,
        Parameter(help="IPv4 address of this host; Janus wants none of loopback. Default: its first."),
    ] = ""
    json: Annotated[Path | None, Parameter(help="Write the report to this file, too.")] = None


async def media(*, options: Annotated[MediaOptions, Parameter(name="*")] = MediaOptions()) -> None:
    """Cost of a forwarded packet, rooms of twelve on one core, and forwarding latency.

    The server runs on one core, the generator on the other. Needs Linux, two cores and a C compiler.
    """
    try:
        await _media(options)
    except NoCompiler:
        _fail("the generator is written in C, and there is no compiler (on Debian: apt-get install gcc libc6-dev)")
    except TooFewCores:
        _fail("two cores are needed: one for the server, one for the generator")
    except (ServerFailed, subprocess.CalledProcessError) as error:
        _fail(str(error))


async def _media(options: MediaOptions) -> None:
    pace = Pace(seconds=options.seconds)
    if options.quick:
        pace = Pace(seconds=_QUICK_SECONDS, trial_seconds=_QUICK_TRIAL_SECONDS, repeats=0)
    plan = Plan(options.address or own_address(), two_cores(), pace, options.rooms)
    servers = contestants(_usable(options.path), janus=options.janus and _janus_is_here())
    print(heading(), flush=True)
    if options.workshop is not None:
        await _workshop(options, plan)
        return
    if options.rooms:
        _write(options, loads(await _loads(servers, plan)))
        return
    found = await _contest(servers, plan)
    janus = found.pop(JANUS, None)
    print(summary(found, janus))
    _write(options, document(found, janus))


async def _workshop(options: MediaOptions, plan: Plan) -> None:
    """Only our server: the others have nothing that splits a room."""
    found = {}
    for path in _usable(options.path):
        found[path.value] = await workshop(path, plan, options.workshop or 0, _say)
    _write(options, workshops(found))


async def _each(servers: dict[str, Start], measure: Callable[[str, Start], Awaitable[Found]]) -> dict[str, Found]:
    """One server after the other; one that fails is left out, which is said."""
    found: dict[str, Found] = {}
    for name, start in servers.items():
        try:
            found[name] = await measure(name, start)
        except ServerFailed as error:
            print(f"{name} is out: {error}", file=sys.stderr)
    if not found:
        raise ServerFailed("nothing was measured")
    return found


async def _loads(servers: dict[str, Start], plan: Plan) -> dict[str, tuple[Row, ...]]:
    """Just the numbers of rooms that were asked for."""
    return await _each(servers, lambda name, start: rows(name, start, plan, _say))


async def _contest(servers: dict[str, Start], plan: Plan) -> dict[str, Search]:
    """Everybody's search, then the equal load again in the opposite order."""
    found = await _each(servers, lambda name, start: search(name, start, plan, _say))
    for name in reversed(found):
        found[name] = structs.replace(found[name], again=await equal(name, servers[name], plan, _say))
    return found


def _usable(asked: tuple[MediaPath, ...]) -> list[MediaPath]:
    """The paths that were asked for, or all; without those that are not built."""
    reasons = our_paths()
    wanted = [path for path in reasons if path in asked or not asked or MediaPath.AUTO in asked]
    for path in wanted:
        if reasons[path]:
            print(f"The {path.value} path cannot be measured: {reasons[path]}", file=sys.stderr)
    return [path for path in wanted if not reasons[path]]


def _janus_is_here() -> bool:
    here = shutil.which("janus") is not None
    if not here:
        print("Janus is not installed here (on Debian: apt-get install janus).", file=sys.stderr)
    return here


def _write(options: MediaOptions, report: dict[str, Any]) -> None:
    if options.json is not None:
        options.json.write_text(json_format.dumps(report, indent=1) + "\n")


def _say(text: str) -> None:
    print(text, flush=True)


def _fail(message: str) -> NoReturn:
    print(f"holdspace bench media: {message}", file=sys.stderr)
    sys.exit(1)
