# SPDX-License-Identifier: Apache-2.0
"""I8 to I12: media, caps, other rooms, privacy, what is left behind."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from server.ids import LOBBY
from tests.faults.checker.history import Heard, Run
from tests.faults.checker.replay import placements
from tests.faults.checker.words import Invariant, Violation, Witness


def check(run: Run, seen: tuple[Witness, ...]) -> Iterator[Violation]:
    """All five."""
    for witness in seen:
        yield from _heard_across(witness, run.media_grace_ms)
    yield from _measured(run)
    for text in run.texts:
        for number, canary in enumerate(run.canaries, 1):
            if canary in text.content:
                yield Violation(Invariant.PRIVATE, f"{text.name} holds canary {number}")


def _measured(run: Run) -> Iterator[Violation]:
    for gauge in run.gauges:
        if gauge.value > gauge.cap:
            yield Violation(Invariant.BOUNDED, f"{gauge.name}: {gauge.value:g} of {gauge.cap:g}")
    for delays in run.delays:
        worst = percentile(delays.ms, 0.99) if delays.ms else math.inf
        if worst > delays.p99_cap_ms:
            yield Violation(Invariant.ALIVE, f"room {delays.room}: p99 {worst:.0f} ms")
    for settled in run.settled:
        if settled.after > settled.before + settled.slack:
            yield Violation(Invariant.NO_LEAK, f"{settled.name}: {settled.before:g} before, {settled.after:g} after")


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of all does not pass."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def _heard_across(witness: Witness, grace_ms: int) -> Iterator[Violation]:
    """Nobody hears a person whom they have not shared a place with for longer than the grace."""
    for record in witness.history.records:
        if isinstance(record, Heard) and not _together(witness, record, grace_ms):
            yield Violation(
                Invariant.MEDIA_FOLLOWS, f"{witness.person} heard {record.source} from elsewhere at {record.at_ms} ms"
            )


def _together(witness: Witness, heard: Heard, grace_ms: int) -> bool:
    """Whether one of the views that stood at some time within the grace had both in one place."""
    for number, sight in enumerate(witness.sights):
        if sight.at_ms > heard.at_ms:
            break
        after = witness.sights[number + 1 : number + 2]
        if after and after[0].at_ms < heard.at_ms - grace_ms:
            continue
        where = {} if sight.view is None else placements(sight.view)
        mine = where.get(witness.person, LOBBY)
        if mine != LOBBY and where.get(heard.source) == mine:
            return True
    return False
