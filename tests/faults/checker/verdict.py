# SPDX-License-Identifier: Apache-2.0
"""The one checker: a run, and every place where it breaks one of the invariants I1 to I12. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from tests.faults.checker import answers, limits, people, prefix, rights
from tests.faults.checker.history import Run
from tests.faults.checker.words import Invariant, Violation, witnesses

LOST: Final = (Invariant.NOBODY_LOST, Invariant.PREFIX, Invariant.ACKED_KEPT)


def check(run: Run) -> tuple[Violation, ...]:
    """Every violation that can be found; none: the fault was survived."""
    seen = witnesses(run)
    return tuple(
        violation
        for rules in (people.check, prefix.check, rights.check, answers.check, limits.check)
        for violation in rules(run, seen)
    )


class Tally(Struct, frozen=True):
    """The integers that must be 0."""

    lost: int
    duplicated: int
    two_places: int


def tally(violations: Iterable[Violation]) -> Tally:
    """Count by what a person would call it."""
    found = [violation.invariant for violation in violations]
    return Tally(
        lost=sum(invariant in LOST for invariant in found),
        duplicated=found.count(Invariant.ONCE),
        two_places=found.count(Invariant.ONE_PLACE),
    )
