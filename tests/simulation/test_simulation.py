# SPDX-License-Identifier: Apache-2.0
"""Seeds: whatever goes wrong, the invariants hold; and the same seed is the same run, everywhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def replayed(seed: int, hash_seed: str) -> str:
    """The trace of a seed, from a process of its own."""
    command = (sys.executable, "-m", "tests.simulation", str(seed))
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    return subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True).stdout


def test_a_seed_replays_exactly() -> None:
    """Two processes that hash differently go through the very same run, line by line."""
    one, other = replayed(4, "1"), replayed(4, "2")
    assert one.count("\n") > 500
    assert one == other
