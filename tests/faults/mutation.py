# SPDX-License-Identifier: Apache-2.0
"""The proof that the fault tests bite: `python -m tests.faults.mutation` runs each mutant against its test."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.faults.mutants import MUTANTS

FOLDER: Final = Path(__file__).parent
VERDICT: Final = re.compile(r"^(?:E +)?(I\d+: .*|assert .*|AssertionError.*)", re.MULTILINE)


def is_killed(name: str, test: str) -> bool:
    """Whether the test finds fault with this mutant, by its verdict; it passes without it, or this says nothing."""
    command = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(FOLDER / test))
    outcome = subprocess.run(
        command, env={**os.environ, "FAULT_MUTANT": name}, check=False, capture_output=True, text=True
    )
    verdict = VERDICT.findall(outcome.stdout)
    killed = outcome.returncode == 1 and bool(verdict)
    print(f"{name}: {'killed' if killed else 'SURVIVED'} by {test}: {'; '.join(verdict[:2])}", flush=True)
    return killed


def main() -> int:
    """Exit status 1 if one survives."""
    wanted = sys.argv[1:] or list(MUTANTS)
    killed = sum(is_killed(name, MUTANTS[name][1]) for name in wanted)
    print(f"mutants killed: {killed} of {len(wanted)}")
    return 0 if killed == len(wanted) else 1


if __name__ == "__main__":
    sys.exit(main())
