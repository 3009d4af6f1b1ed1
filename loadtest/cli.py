# SPDX-License-Identifier: Apache-2.0
"""`holdspace loadtest`: virtual participants with real connections and real media against any deployment.

Exit status: 0 passed, 1 a requirement was not met, 2 wrong use, 3 the target could not be reached or went away.
"""

from __future__ import annotations

import ipaddress
import os
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final, NoReturn
from urllib.parse import urlsplit

from cyclopts import App, Parameter
from cyclopts.validators import Number
from msgspec.structs import replace

from loadtest.drive.jobs import processes_of
from loadtest.plan.library import BUILT_IN, scenario_of, text_of
from loadtest.plan.scenario import BadScenario, Network, Scenario, checked
from loadtest.plan.thresholds import BadRequirement, Requirement, parse
from loadtest.plan.timeline import resized
from server.config import Config, ConfigError, is_origin, kept_secret, load_secret

USAGE: Final = 2

loadtest_app = App(name="loadtest", help="Virtual participants against a deployment, and what they found.")
scenario_app = App(name="scenario", help="The scenarios that come with it.")
loadtest_app.command(scenario_app)

Name = Annotated[str, Parameter(help=f"{', '.join(BUILT_IN)}, or a TOML file of your own.")]


@dataclass(frozen=True, kw_only=True)
class TargetOptions:
    """Whom to test. Without `--url` a server is started for it."""

    url: Annotated[str, Parameter(help="Address of a deployment, such as https://sessions.example.org.")] = ""
    i_own_this_target: Annotated[
        bool, Parameter(negative="", help="Needed for a target that is not on this machine.")
    ] = False
    api_key: Annotated[str, Parameter(help="As of `holdspace serve`: join tokens are signed with it.")] = "holdspace"
    api_secret: Annotated[
        str | None, Parameter(show_default=False, help="Secret of the key. Default: that of --data-dir.")
    ] = None
    api_secret_file: Annotated[Path | None, Parameter(help="File that holds the secret.")] = None
    data_dir: Annotated[Path, Parameter(help="Where a server of this folder keeps its secret.")] = Path(".holdspace")
    metrics_url: Annotated[str, Parameter(help="Its /metrics: loop lag, CPU, memory, tasks. Default: not asked.")] = ""
    server_options: Annotated[
        str, Parameter(help="Further options of the server that is started: '--media-path pure'.")
    ] = ""


@dataclass(frozen=True, kw_only=True)
class LoadOptions:
    """Changes to the scenario."""

    duration: Annotated[
        float | None, Parameter(help="Seconds. Default: as the scenario says.", validator=Number(gt=0, lte=86_400))
    ] = None
    rooms: Annotated[
        int | None, Parameter(help="How many rooms. Default: as the scenario says.", validator=Number(gte=1, lte=200))
    ] = None
    people: Annotated[
        int | None,
        Parameter(help="Participants of each room. Default: as the scenario says.", validator=Number(gte=1, lte=499)),
    ] = None
    network: Annotated[
        str | None, Parameter(help="Put everybody's media behind dsl, lte or rural-3g. Default: as the scenario says.")
    ] = None
    seed: Annotated[
        int | None,
        Parameter(help="Another seed: other people leave, other packets are lost. Default: of the scenario."),
    ] = None
    processes: Annotated[
        int,
        Parameter(
            help="Generator processes; 0: half of the cores, and rooms without media apart from those with.",
            validator=Number(gte=0, lte=64),
        ),
    ] = 0
    require: Annotated[
        tuple[str, ...] | None,
        Parameter(negative="", help="Such as 'move_ms p95<300'; replaces those of the scenario. Repeatable."),
    ] = None


@dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """What to write, and what to show."""

    json: Annotated[Path | None, Parameter(help="Everything, for machines and for --baseline.")] = None
    html: Annotated[Path | None, Parameter(help="One file to look at, without any network.")] = None
    csv: Annotated[Path | None, Parameter(help="The percentile table.")] = None
    junit: Annotated[Path | None, Parameter(help="Requirements as test cases.")] = None
    server_log: Annotated[Path | None, Parameter(help="What the servers that are started have to say.")] = None
    baseline: Annotated[Path | None, Parameter(help="JSON of an older run to compare with.")] = None
    fail_if_worse: Annotated[
        bool, Parameter(negative="", help="A figure that is worse than in the baseline fails the run, with status 1.")
    ] = False
    tolerated: Annotated[
        int, Parameter(help="By how many percent a figure may be worse.", validator=Number(gte=0, lte=1000))
    ] = 20
    plain: Annotated[bool, Parameter(negative="", help="Lines instead of a live view; the default in a pipe.")] = False
    quiet: Annotated[bool, Parameter(negative="", help="Nothing but the verdict.")] = False


@dataclass(frozen=True)
class Wanted:
    """All of it, understood and checked."""

    scenario: Scenario
    requirements: tuple[Requirement, ...]
    target: TargetOptions
    output: OutputOptions
    processes: int
    server_options: list[str]
    secret: str
    command: str
    urls: tuple[str, ...] = field(default=())


@loadtest_app.command(name="run")
async def run_scenario(
    scenario: Name,
    *,
    target: Annotated[TargetOptions, Parameter(name="*")] = TargetOptions(),
    load: Annotated[LoadOptions, Parameter(name="*")] = LoadOptions(),
    output: Annotated[OutputOptions, Parameter(name="*")] = OutputOptions(),
) -> None:
    """Run a scenario and judge it. Exit status 0: passed, 1: not, 2: wrong use, 3: nobody there."""
    from loadtest.command import conduct

    try:
        wanted = _understood(scenario, target, load, output)
    except (BadScenario, BadRequirement, ConfigError, ValueError) as error:
        _refuse(str(error))
    sys.exit(await conduct(wanted))


@loadtest_app.command(name="report")
def write_report(
    json: Annotated[Path, Parameter(help="What a run has written with --json.")],
    html: Annotated[Path, Parameter(help="The page to write.")],
) -> None:
    """Make the HTML report of a run from its JSON."""
    from loadtest.report.assets import assets
    from loadtest.report.data import BadReport, from_json
    from loadtest.report.html import to_html

    try:
        html.write_text(to_html(from_json(json.read_bytes(), where=str(json)), assets()))
    except (BadReport, OSError) as error:
        _refuse(str(error))


@scenario_app.command(name="list")
def list_scenarios() -> None:
    """Name them, and say what they do."""
    for name in BUILT_IN:
        scenario = scenario_of(name)
        print(f"{name:11} {scenario.people:4} people, {scenario.duration_s:5.0f} s  {scenario.about}")


@scenario_app.command(name="show")
def show_scenario(scenario: Name) -> None:
    """Print its TOML: the beginning of one of your own."""
    try:
        print(text_of(scenario), end="")
    except BadScenario as error:
        _refuse(str(error))


def is_loopback(url: str) -> bool:
    """Whether this address cannot be anybody else's."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _understood(name: str, target: TargetOptions, load: LoadOptions, output: OutputOptions) -> Wanted:
    if output.fail_if_worse and output.baseline is None:
        raise ConfigError("--fail-if-worse needs --baseline: worse than what?")
    scenario = resized(scenario_of(name), duration_s=load.duration, rooms=load.rooms, people=load.people)
    changes: dict[str, object] = {}
    if load.network is not None:
        changes["network"] = Network(load.network)
    if load.seed is not None:
        changes["seed"] = load.seed
    if load.require is not None:
        changes["require"] = load.require
    scenario = checked(replace(scenario, **changes), where=name)
    url = target.url.rstrip("/")
    secret = ""
    if target.metrics_url:
        _require_metrics(target)
    if url:
        _require_leave(url, target, scenario)
        key = Config(
            api_key=target.api_key,
            api_secret=target.api_secret,
            api_secret_file=target.api_secret_file,
            data_dir=target.data_dir,
        )
        if target.api_secret is None and target.api_secret_file is None and not kept_secret(key).is_file():
            raise ConfigError(
                "--url needs the secret of that deployment: --api-secret-file, HOLDSPACE_API_SECRET_FILE, or the "
                f"--data-dir of its server (there is no {kept_secret(key)})"
            )
        secret = load_secret(key)
    return Wanted(
        scenario=scenario,
        requirements=tuple(parse(text) for text in scenario.require),
        target=target,
        output=output,
        processes=load.processes or processes_of(scenario, os.cpu_count() or 2),
        server_options=shlex.split(target.server_options),
        secret=secret,
        command=_command(),
        urls=(url,) if url else (),
    )


def _require_metrics(target: TargetOptions) -> None:
    """Raises ConfigError."""
    if not target.url:
        raise ConfigError("--metrics-url belongs to a --url: a server that is started for the test is asked anyway")
    parts = urlsplit(target.metrics_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(
            f"--metrics-url: {target.metrics_url!r} is not an address such as http://10.0.0.5:9464/metrics"
        )


def _require_leave(url: str, target: TargetOptions, scenario: Scenario) -> None:
    """Nobody is tested who did not ask for it. Raises ConfigError."""
    if not is_origin(url):
        raise ConfigError(f"--url: {url!r} is not an address such as https://sessions.example.org")
    if not is_loopback(url) and not target.i_own_this_target:
        raise ConfigError(
            f"{url} is not this machine. A load test is an attack on whoever did not ask for it: if the target is "
            "yours, and its users know, say --i-own-this-target"
        )
    if scenario.nodes > 1:
        raise ConfigError(f"{scenario.name} strikes nodes that it has started itself: it cannot have a --url")


def _command() -> str:
    """The command to repeat the run; a secret stays out of it."""
    words = ["holdspace", *sys.argv[1:]]
    for number, word in enumerate(words):
        if word == "--api-secret" and number + 1 < len(words):
            words[number + 1] = "..."
        elif word.startswith("--api-secret="):
            words[number] = "--api-secret=..."
    return shlex.join(words)


def _refuse(message: str) -> NoReturn:
    print(f"holdspace loadtest: {message}", file=sys.stderr)
    sys.exit(USAGE)
