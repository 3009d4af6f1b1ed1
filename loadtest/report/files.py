# SPDX-License-Identifier: Apache-2.0
"""CSV and JUnit of a run. Pure: text comes out."""

from __future__ import annotations

import csv
import io
from xml.etree import ElementTree as ET

from loadtest.measure.metrics import METRICS, Kind
from loadtest.report.data import Outcome, Run
from loadtest.report.numbers import was

COLUMNS = ("metric", "unit", "kind", "count", "per_s", "min", "mean", "p50", "p90", "p95", "p99", "p99.9", "max")


def to_csv(run: Run) -> str:
    """One row for each metric."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for name, summary in run.metrics.items():
        row: list[object] = [name, METRICS[name].unit, METRICS[name].kind.value, summary.count, round(summary.rate, 4)]
        if METRICS[name].kind is Kind.TREND:
            ranks = (summary.percentile(rank) for rank in (50, 90, 95, 99, 99.9))
            row += [summary.minimum, summary.mean, *ranks, summary.maximum]
        writer.writerow(row)
    return text.getvalue()


def to_junit(run: Run) -> str:
    """One test case for each requirement, and one for the run itself; those of a run that never began are skipped."""
    skipped = () if run.verdicts else run.scenario.require
    failures = [verdict for verdict in run.verdicts if not verdict.met]
    broken = run.outcome in (Outcome.UNREACHABLE, Outcome.STOPPED)
    suite = ET.Element(
        "testsuite",
        name=f"loadtest.{run.scenario.name}",
        tests=str(len(run.verdicts) + len(skipped) + 1),
        failures=str(len(failures)),
        errors=str(int(broken)),
        skipped=str(len(skipped)),
        time=str(run.duration_s),
        timestamp=run.started,
    )
    whole = ET.SubElement(suite, "testcase", classname=f"loadtest.{run.scenario.name}", name="runs to its end")
    if broken:
        ET.SubElement(whole, "error", message=run.reason)
    for requirement in skipped:
        case = ET.SubElement(suite, "testcase", classname=f"loadtest.{run.scenario.name}", name=requirement)
        ET.SubElement(case, "skipped", message="nothing was measured")
    for verdict in run.verdicts:
        case = ET.SubElement(suite, "testcase", classname=f"loadtest.{run.scenario.name}", name=verdict.requirement)
        if not verdict.met:
            ET.SubElement(case, "failure", message=was(verdict.value))
    ET.indent(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suite, encoding="unicode") + "\n"
