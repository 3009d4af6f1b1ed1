# SPDX-License-Identifier: Apache-2.0
"""A whole run as data: what the JSON file holds, and what every other output is made from. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec
from msgspec import Struct

from loadtest.measure.nodes import Moment, NodeFigures
from loadtest.measure.summary import Summary
from loadtest.measure.totals import Point
from loadtest.plan.scenario import Scenario
from loadtest.plan.thresholds import Verdict

FORMAT: Final = 1


class Outcome(StrEnum):
    """How it ended. The exit status follows from it."""

    PASSED = "passed"
    FAILED = "failed"
    """A requirement was not met."""
    UNREACHABLE = "unreachable"
    """Nobody answered, or the target went away."""
    STOPPED = "stopped"
    """Ended early by whoever started it; what was measured until then is judged as usual, but it is no pass."""


EXIT_STATUS: Final = {Outcome.PASSED: 0, Outcome.FAILED: 1, Outcome.UNREACHABLE: 3, Outcome.STOPPED: 1}


class Environment(Struct, frozen=True):
    """Where it ran. `facts`: by their name, as they are shown."""

    facts: dict[str, str]
    processes: int
    own_server: bool


class Regression(Struct, frozen=True):
    """One figure beside that of an older run. `worse`: beyond what noise explains."""

    metric: str
    statistic: str
    before: float
    now: float
    worse: bool


class Run(Struct, frozen=True):
    """`width_s`: how long a stretch of `series` is. `notes`: what a reader must know before believing a figure."""

    name: str
    outcome: Outcome
    reason: str
    started: str
    duration_s: float
    command: str
    scenario: Scenario
    environment: Environment
    verdicts: tuple[Verdict, ...]
    metrics: dict[str, Summary]
    series: dict[str, tuple[Point, ...]]
    width_s: int
    present: tuple[tuple[int, int], ...]
    moments: tuple[Moment, ...]
    errors: dict[str, int]
    nodes: tuple[NodeFigures, ...]
    notes: tuple[str, ...]
    regressions: tuple[Regression, ...] = ()
    format: int = FORMAT


class BadReport(ValueError):
    """Not the JSON of a run."""


def to_json(run: Run) -> bytes:
    """The JSON file."""
    return msgspec.json.format(msgspec.json.encode(run), indent=1)


def from_json(data: bytes, *, where: str) -> Run:
    """Read it again. Raises BadReport."""
    try:
        run = msgspec.json.decode(data, type=Run)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise BadReport(f"{where} is not the JSON of a load test: {error}") from error
    if run.format != FORMAT:
        raise BadReport(f"{where} has format {run.format}; this version reads {FORMAT}")
    return run
