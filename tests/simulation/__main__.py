# SPDX-License-Identifier: Apache-2.0
"""`python -m tests.simulation SEED` replays one seed and prints its trace; `FIRST LAST` runs many, and tells of each.

Exit status 1 if an invariant does not hold.
"""

from __future__ import annotations

import sys
import time

from tests.simulation.many import outcomes
from tests.simulation.simulation import Outcome, simulate


def verdict(outcome: Outcome) -> str:
    """One line."""
    told = "ok" if not outcome.violations else f"{len(outcome.violations)} VIOLATIONS"
    return f"seed {outcome.seed}: {told}, {outcome.steps} steps, {outcome.digest[:16]}, {', '.join(outcome.disasters)}"


def replay(seed: int) -> int:
    """The whole trace of one seed."""
    outcome = simulate(seed, keep=True)
    print(*outcome.lines, sep="\n")
    print(verdict(outcome))
    print(*outcome.violations, sep="\n")
    return 1 if outcome.violations else 0


def run(first: int, last: int) -> int:
    """All seeds from the first to the last."""
    began, failed, virtual_s, steps = time.monotonic(), 0, 0.0, 0
    for outcome in outcomes(range(first, last + 1)):
        virtual_s, steps = virtual_s + outcome.virtual_s, steps + outcome.steps
        if outcome.violations:
            failed += 1
            print(verdict(outcome), *outcome.violations[:5], sep="\n    ", flush=True)
    took_s, count = time.monotonic() - began, last - first + 1
    print(f"{count} seeds, {failed} failed; {virtual_s / 3600:.1f} h of virtual time in {took_s:.0f} s, {steps} steps")
    return 1 if failed else 0


def main(arguments: list[str]) -> int:
    """Replay, or run many."""
    match list(map(int, arguments)):
        case [seed]:
            return replay(seed)
        case [first, last]:
            return run(first, last)
        case _:
            print(__doc__)
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
