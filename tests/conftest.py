# SPDX-License-Identifier: Apache-2.0
"""What holds for every test: hypothesis profiles, browsers last, and no check left out in silence."""

from __future__ import annotations

import os
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

CI: Final = os.environ.get("CI") == "true"
LONGEST: Final = ("fuzz", "simulation", "runner", "congestion", "cluster", "loadtest", "media")
"""Folders with the files that take longest: a process that is given one of them at last works on alone."""

# No deadlines: the machine may be busy with browsers. The quick profile repeats itself, the full one explores.
settings.register_profile("quick", max_examples=60, deadline=None, derandomize=True)
settings.register_profile(
    "full", max_examples=2000, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests run last: what is quick to fail fails first. What takes longest begins, so that none ends late."""
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> tuple[bool, float]:
    if item.get_closest_marker("e2e") is None:
        folder = item.path.parent.name
        return False, float(LONGEST.index(folder) if folder in LONGEST else len(LONGEST))
    limit = item.get_closest_marker("timeout")
    return True, 0.0 if limit is None else -float(limit.args[0])


def _skipped(config: pytest.Config) -> list[pytest.TestReport]:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return [] if reporter is None else list(reporter.stats.get("skipped", []))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """With CI=true a skipped test fails the run."""
    if CI and _skipped(session.config) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """A check that did not run is not a check that passed."""
    if skipped := _skipped(config):
        terminalreporter.section("CHECKS LEFT OUT", sep="!", red=True, bold=True)
        for report in skipped:
            terminalreporter.write_line(report.nodeid)
        terminalreporter.write_line("This fails the run: CI=true." if CI else "With CI=true this would fail the run.")
