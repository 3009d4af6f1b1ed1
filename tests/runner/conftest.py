# SPDX-License-Identifier: Apache-2.0
"""Shows what the model check has seen."""

from __future__ import annotations

from typing import Final

import pytest

FOUND: Final[dict[str, str]] = {}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line for each world that was enumerated."""
    if FOUND:
        terminalreporter.section("commit pipeline, enumerated")
        for name, found in FOUND.items():
            terminalreporter.write_line(f"{name}: {found}")
