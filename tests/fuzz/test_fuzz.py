# SPDX-License-Identifier: Apache-2.0
"""The kept corpus, and a short search from it with a fixed seed. Longer: `python -m tests.fuzz TARGET`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"
RUNS = 2_000
SLOW_RUNS = 300
"""Of a target that sets up a whole room for each input."""


@pytest.mark.parametrize("name", TARGETS)
def test_the_kept_inputs_are_handled(name: str) -> None:
    """Whatever once was interesting is read or refused as the server expects."""
    kept = sorted((CORPUS / name).iterdir())
    assert len(kept) > 5
    for path in kept:
        TARGETS[name](path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_a_short_search_finds_nothing(name: str, tmp_path: Path) -> None:
    """Coverage-guided mutation of the corpus breaks no parser, and no input takes a second."""
    runs = SLOW_RUNS if name == "hostile" else RUNS
    options = [f"-runs={runs}", "-seed=1", "-timeout=1", "-max_len=4096", f"-artifact_prefix={tmp_path}/"]
    # What is found goes into the first folder, and not into the kept corpus.
    command = [sys.executable, "-m", "tests.fuzz", name, *options, str(tmp_path), str(CORPUS / name)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr[-3000:]
