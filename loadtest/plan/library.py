# SPDX-License-Identifier: Apache-2.0
"""The scenarios that come with the load test: TOML files beside this one, like anybody's own."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Final

from loadtest.plan.scenario import BadScenario, Scenario, read

_FOLDER: Final = files("loadtest.plan") / "scenarios"
BUILT_IN: Final = ("smoke", "circle", "splitstorm", "reconnect", "failover", "soak")


def text_of(name: str) -> str:
    """A built-in scenario by its name, or a file by its path (*.toml). Raises BadScenario."""
    if name in BUILT_IN:
        return (_FOLDER / f"{name}.toml").read_text()
    if not name.endswith(".toml"):
        raise BadScenario(f"there is no scenario {name}; there are {', '.join(BUILT_IN)}, and files that end in .toml")
    try:
        return Path(name).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise BadScenario(f"{name}: {error}") from error


def scenario_of(name: str) -> Scenario:
    """The same, understood and checked. Raises BadScenario, BadRequirement."""
    return read(text_of(name), where=name)
