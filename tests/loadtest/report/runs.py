# SPDX-License-Identifier: Apache-2.0
"""Runs with figures that are known beforehand."""

from __future__ import annotations

from loadtest.measure.nodes import Moment, NodePoint
from loadtest.measure.recorder import Recorder
from loadtest.measure.totals import Totals
from loadtest.plan.library import scenario_of
from loadtest.plan.thresholds import parse
from loadtest.report.assemble import Facts, assemble
from loadtest.report.data import Environment, Run

SECONDS = 10
FACTS = Facts(
    name="20260101-000000-abcd",
    started="2026-01-01T00:00:00+00:00",
    duration_s=SECONDS,
    command="holdspace loadtest run smoke",
    environment=Environment({"Cores": "2"}, 1, own_server=True),
)


def made(*requirements: str, slower: float = 1.0, busy: float = 20.0, late: float = 1.0, facts: Facts = FACTS) -> Run:
    """A run of ten seconds with one error."""
    totals, recorder = Totals(), Recorder()
    for second in range(SECONDS):
        recorder.present = 4
        for value in range(1, 11):
            recorder.record("move_ms", slower * (10 * second + value))
        recorder.record("generator_cpu_percent", busy)
        recorder.record("generator_late_ms", late)
        totals.add(second, recorder.take())
    recorder.fail("join: <timeout>")
    totals.add(3, recorder.take())
    nodes = {"http://127.0.0.1:1": [NodePoint(second, 10.0 + second, 100.0, 2.0) for second in range(SECONDS)]}
    nodes["http://127.0.0.1:2"] = [NodePoint(second, None, None, None) for second in range(SECONDS)]
    wanted = [parse(requirement) for requirement in requirements]
    return assemble(facts, scenario_of("smoke"), totals, wanted, [Moment(6.0, "split")], nodes)
