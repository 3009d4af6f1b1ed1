# SPDX-License-Identifier: Apache-2.0
"""`python -m loadtest.impairment run --to HOST:PORT`: put a bad network in front of a server's UDP port."""

from __future__ import annotations

import asyncio
import re
import selectors
import signal
import sys
from collections.abc import Coroutine
from typing import Annotated, Final

import msgspec
from cyclopts import App, Parameter

from loadtest.impairment.control import obey as obey_requests
from loadtest.impairment.profile import NAMED, PERFECT, BadSetting, adjusted
from loadtest.impairment.rig import Address, Rig

app = App(name="python -m loadtest.impairment", help=__doc__)

_ADDRESS: Final = re.compile(r"\[?(?P<host>[^\]]*?)\]?:(?P<port>\d+)")

Listen = Annotated[str, Parameter(help="Where clients send to.")]
To = Annotated[str, Parameter(help="The server's UDP address.")]
Settings = Annotated[str, Parameter(help=f"One of {', '.join(NAMED)}, and settings as `down.rate_bps=300000`.")]
At = Annotated[tuple[str, ...], Parameter(help="SECONDS:SETTINGS, applied to the link of that moment; repeatable.")]
Seed = Annotated[int, Parameter(help="The same seed, the same fate.")]
Shared = Annotated[bool, Parameter(help="All clients share one link.")]


@app.command
def obey() -> None:
    """Take requests as lines of JSON from standard input, until it ends."""
    _run(obey_requests())


@app.command
def run(
    *, to: To, listen: Listen = "127.0.0.1:0", link: Settings = "perfect", at: At = (), seed: Seed = 1,
    shared: Shared = False,
) -> None:  # fmt: skip
    """Forward until interrupted; prints the address first and a report in the end, both as JSON."""
    try:
        changes = [(float(when), text) for when, _, text in (word.partition(":") for word in at)]
        adjusted(adjusted(PERFECT, link), " ".join(text for _, text in changes))
        _run(_forward(_address(to), _address(listen), link, changes, seed, shared=shared))
    except (BadSetting, ValueError, OSError) as error:
        print(f"impairment: {error}", file=sys.stderr)
        sys.exit(2)


async def _forward(
    to: Address, listen: Address, settings: str, changes: list[tuple[float, str]], seed: int, *, shared: bool
) -> None:
    loop, link, stop = asyncio.get_running_loop(), adjusted(PERFECT, settings), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    rig = Rig(to, link, seed=seed, listen=listen, shared=shared)
    print(msgspec.json.encode({"address": rig.address}).decode(), flush=True)
    for when_s, text in sorted(changes):
        link = adjusted(link, text)
        loop.call_later(when_s, rig.change, link)
    await stop.wait()
    print(msgspec.json.encode(rig.report()).decode(), flush=True)
    rig.close()


def _address(text: str) -> Address:
    found = _ADDRESS.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not HOST:PORT")
    return found["host"], int(found["port"])


def _run(work: Coroutine[None, None, None]) -> None:
    # `select` waits to the microsecond; epoll, and with it uvloop, to the millisecond.
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())) as runner:
        runner.run(work)


if __name__ == "__main__":
    app()
