# SPDX-License-Identifier: Apache-2.0
"""`holdspace bench ...`: exit status 1 when it cannot be measured here, 2 for wrong use."""

from __future__ import annotations

import json as json_format
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, NoReturn

from cyclopts import App, Parameter
from cyclopts.validators import Number

from bench.machine import TooFewCores, own_address, two_cores

app = App(name="bench", help="Measure this server, and others beside it.")

_QUICK_SECONDS: Final = 8.0
_QUICK_TRIAL_SECONDS: Final = 3.0


@dataclass(frozen=True, kw_only=True, slots=True)
class MediaOptions:
    """What to measure."""

    rooms: Annotated[
        tuple[int, ...], Parameter(help="Just these numbers of rooms, no search.", consume_multiple=True, negative="")
    ] = ()
    seconds: Annotated[float, Parameter(help="Length of a measurement that counts.", validator=Number(gte=1))] = 30.0
    quick: Annotated[bool, Parameter(negative="", help="Short measurements: for a look, not for figures.")] = False
    janus: Annotated[bool, Parameter(help="Run Debian's Janus on the same work.")] = True
    path: Annotated[
        tuple[str, ...], Parameter(help="Only these paths of ours: pure, compiled.", consume_multiple=True, negative="")
    ] = ()
    address: Annotated[str, Parameter(help="IPv4 address of this host to use; Janus wants none of loopback.")] = ""
    json: Annotated[Path | None, Parameter(help="Write the report to this file, too.")] = None


@app.command
async def media(*, options: Annotated[MediaOptions, Parameter(name="*")] = MediaOptions()) -> None:
    """Cost of a forwarded packet, rooms of twelve on one core, and forwarding latency.

    The server runs on one core, the generator on the other. Needs Linux, two cores and a C compiler.
    """
    from bench.media.contest import ServerFailed
    from bench.media.engine import NoCompiler

    try:
        await _media(options)
    except NoCompiler:
        _fail("the generator is written in C, and there is no compiler (on Debian: apt-get install gcc libc6-dev)")
    except TooFewCores:
        _fail("two cores are needed: one for the server, one for the generator")
    except (ServerFailed, subprocess.CalledProcessError) as error:
        _fail(str(error))


async def _media(options: MediaOptions) -> None:
    from bench.media.janus import NoJanus
    from bench.media.report import document, heading, summary
    from bench.media.run import Plan, contestants, measure
    from bench.media.search import Pace, Search

    pace = Pace(seconds=options.seconds)
    if options.quick:
        pace = Pace(seconds=_QUICK_SECONDS, trial_seconds=_QUICK_TRIAL_SECONDS, repeats=0)
    plan = Plan(options.address or own_address(), two_cores(), pace, options.rooms)
    found: dict[str, Search] = {}
    absent = "not asked for"
    print(heading(), flush=True)
    for name, start in contestants(janus=options.janus).items():
        if name != "janus" and options.path and name not in options.path:
            continue
        try:
            search = await measure(name, start, plan, lambda text: print(text, flush=True))
        except NoJanus:
            absent = "not installed"
            print("Janus is not installed here (on Debian: apt-get install janus).", file=sys.stderr)
            continue
        if search is not None:
            found[name] = search
    if not found:
        return
    janus = found.pop("janus", None)
    print(summary(found, janus))
    if options.json is not None:
        options.json.write_text(json_format.dumps(document(found, janus, absent), indent=1) + "\n")


def _fail(message: str) -> NoReturn:
    print(f"holdspace bench: {message}", file=sys.stderr)
    sys.exit(1)
