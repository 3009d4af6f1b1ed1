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
ATTEMPTS: Final = 2
"""A test that fails without a verdict, as when nothing starts on a busy machine, proves nothing either way."""
VERDICT: Final = re.compile(r"^(?:E +)?(I\d+: .*|assert .*|AssertionError.*)", re.MULTILINE)


def is_killed(name: str, test: str) -> bool:
    """Whether the test finds fault with this mutant, by its verdict; it passes without it, or this says nothing."""
    command = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(FOLDER / test))
    environment = {**os.environ, "FAULT_MUTANT": name}
    verdict: list[str] = []
    said = ""
    for _ in range(ATTEMPTS):
        outcome = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
        verdict = VERDICT.findall(outcome.stdout)
        said = "; ".join(verdict[:2]) or outcome.stdout.strip().splitlines()[-1]
        if verdict or outcome.returncode == 0:
            break
    print(f"{name}: {'killed' if verdict else 'SURVIVED'} by {test}: {said}", flush=True)
    return bool(verdict)


def main() -> int:
    """Exit status 1 if one survives."""
    wanted = sys.argv[1:] or list(MUTANTS)
    killed = sum(is_killed(name, MUTANTS[name][1]) for name in wanted)
    print(f"mutants killed: {killed} of {len(wanted)}")
    return 0 if killed == len(wanted) else 1


if __name__ == "__main__":
    sys.exit(main())
