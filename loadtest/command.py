# SPDX-License-Identifier: Apache-2.0
"""One load test from beginning to end: target, conductor, display, files, exit status."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console
from rich.live import Live

from loadtest.cli import USAGE, Wanted
from loadtest.drive import machine
from loadtest.drive.conductor import Conductor, Progress, Unreachable
from loadtest.drive.fleet import Fleet, Target, own_fleet
from loadtest.drive.generators import GeneratorFailed
from loadtest.drive.jobs import planned
from loadtest.report.assemble import Facts, assemble
from loadtest.report.assets import assets
from loadtest.report.baseline import beside
from loadtest.report.data import EXIT_STATUS, BadReport, Environment, Run, from_json, to_json
from loadtest.report.files import to_csv, to_junit
from loadtest.report.html import to_html
from loadtest.report.live import ending, line, screen
from loadtest.serving import ServerFailed
from server.signaling.tokens import TokenKey

LIVE_PER_S: Final = 1
PLAIN_EVERY_S: Final = 5.0


async def conduct(wanted: Wanted) -> int:
    """Run it, write what is wanted, and tell the exit status."""
    console = Console(stderr=True, highlight=False)
    try:
        baseline = _baseline(wanted.output.baseline)
        _require_writable(wanted)
    except (BadReport, OSError) as error:
        console.print(f"holdspace loadtest: {error}", markup=False)
        return USAGE
    schedule = planned(wanted.scenario)
    advice = machine.raise_file_limit(wanted.scenario.people)
    if advice:
        console.print(f"Note: {advice}", markup=False)
    progress = Progress(wanted.scenario, schedule)
    name = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    started = datetime.now(UTC).isoformat(timespec="seconds")
    facts = Facts(name, started, 0.0, wanted.command, Environment({}, wanted.processes, own_server=not wanted.urls))
    facts = await _run(wanted, progress, facts, console)
    run = assemble(facts, wanted.scenario, progress.totals, wanted.requirements, progress.marks, progress.nodes)
    if baseline is not None:
        output = wanted.output
        run = beside(run, baseline, tolerated=output.tolerated, must_hold=output.fail_if_worse)
    _write(run, wanted)
    _tell(run, wanted, console)
    return EXIT_STATUS[run.outcome]


async def _run(wanted: Wanted, progress: Progress, facts: Facts, console: Console) -> Facts:
    """What is known of the run when it is over, however it ended."""
    unreachable, stopped = "", ""
    urls, signals = wanted.urls, Signals()
    try:
        async with _target(wanted) as (target, fleet):
            urls = target.urls
            conductor = Conductor(progress, target, fleet, wanted.processes)
            signals.end = conductor.stop
            async with _shown(wanted, progress, console):
                await conductor.run(facts.name, lambda: _invite(wanted, progress, console))
            unreachable = conductor.went_away
    except asyncio.CancelledError:
        signals.obeyed()
    except Unreachable as error:
        unreachable = str(error)
    except ServerFailed as error:
        unreachable = f"{error}; what it said is kept with --server-log"
    except GeneratorFailed as error:
        stopped = str(error)
    options = " ".join(wanted.server_options)
    about = machine.facts(urls, own_server=not wanted.urls, options=options)
    return msgspec.structs.replace(
        facts,
        duration_s=min(progress.elapsed_s, wanted.scenario.duration_s),
        environment=msgspec.structs.replace(facts.environment, facts=about),
        unreachable=unreachable,
        stopped=stopped or ("it was stopped before its end" if signals.came else ""),
    )


@asynccontextmanager
async def _target(wanted: Wanted) -> AsyncIterator[tuple[Target, Fleet | None]]:
    if wanted.urls:
        pages = (wanted.target.metrics_url,) if wanted.target.metrics_url else ()
        yield Target(wanted.urls, TokenKey(wanted.target.api_key, wanted.secret), pages), None
        return
    # On the terminal their words would go through the live view.
    with (wanted.output.server_log or Path(os.devnull)).open("ab") as log:
        async with own_fleet(wanted.scenario, wanted.server_options, log.fileno()) as fleet:
            yield fleet.target, fleet


class Signals:
    """The first one ends the test, whichever stage it is in, and lets the report be written; the others do nothing.

    `end`: how; at first by cancelling the task that made this.
    """

    def __init__(self) -> None:
        self._task = asyncio.current_task()
        self.end: Callable[[], object] = _nothing if self._task is None else self._task.cancel
        self.came = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # With `nohup` the test outlives its terminal.
            if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                asyncio.get_running_loop().add_signal_handler(number, self._come, number)

    def obeyed(self) -> None:
        """The task was cancelled, and what is left to do is to report. asyncio does so, too, before this is there."""
        self.came = True
        if self._task is not None:
            self._task.uncancel()

    def _come(self, number: signal.Signals) -> None:
        if number is signal.SIGHUP:
            _give_up_terminal()
        if not self.came:
            self.came = True
            self.end()


def _give_up_terminal() -> None:
    """Nobody reads what is shown any more, and whoever writes to a terminal that is gone gets an error."""
    with Path(os.devnull).open("wb") as nowhere:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(nowhere.fileno(), stream.fileno())


def _nothing() -> None:
    pass


@asynccontextmanager
async def _shown(wanted: Wanted, progress: Progress, console: Console) -> AsyncIterator[None]:
    """Show how it goes, on standard error: what is written to standard output stays for others."""
    if wanted.output.quiet:
        yield
        return
    if wanted.output.plain or not console.is_terminal:
        showing = asyncio.create_task(_lines(progress))
        try:
            yield
        finally:
            showing.cancel()
        return
    with Live(
        get_renderable=lambda: screen(progress, wanted.requirements),
        console=console,
        refresh_per_second=LIVE_PER_S,
        transient=True,
    ):
        yield


async def _lines(progress: Progress) -> None:
    while True:
        await asyncio.sleep(PLAIN_EVERY_S)
        print(f"{progress.stage}: {line(progress)}", file=sys.stderr, flush=True)


def _invite(wanted: Wanted, progress: Progress, console: Console) -> None:
    """Links for one human into the running test, each in one piece; the live view goes on below them."""
    if not wanted.output.quiet:
        for role, link in progress.links.items():
            console.print(f"Join as {role}: {link}", soft_wrap=True, markup=False)


def _tell(run: Run, wanted: Wanted, console: Console) -> None:
    if wanted.output.quiet:
        print(f"{run.outcome.value}: {run.reason}")
    else:
        # In a file or a pipe a sentence stays in one line.
        console.print(ending(run), soft_wrap=not console.is_terminal)


def _baseline(path: Path | None) -> Run | None:
    return None if path is None else from_json(path.read_bytes(), where=str(path))


def _require_writable(wanted: Wanted) -> None:
    """Better now than after an hour. Raises OSError."""
    if wanted.output.html is not None:
        assets()
    for path in (
        wanted.output.json,
        wanted.output.html,
        wanted.output.csv,
        wanted.output.junit,
        wanted.output.server_log,
    ):
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab"):
                pass


def _write(run: Run, wanted: Wanted) -> None:
    output = wanted.output
    if output.json is not None:
        output.json.write_bytes(to_json(run))
    if output.html is not None:
        output.html.write_text(to_html(run, assets()))
    if output.csv is not None:
        output.csv.write_text(to_csv(run))
    if output.junit is not None:
        output.junit.write_text(to_junit(run))
