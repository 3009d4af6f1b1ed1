# SPDX-License-Identifier: Apache-2.0
"""The commit pipeline, enumerated: two nodes, one log, and all that a network may do between them."""

from __future__ import annotations

from typing import Final

import pytest

from server.runner.steps import Limits
from tests.runner import mutants
from tests.runner.conftest import FOUND
from tests.runner.explore import explore
from tests.runner.model import Budget, Setup
from tests.runner.model_log import Faults
from tests.runner.promises import Violation
from tests.runner.toys import TOY

RETRY: Final = (("a", 0), ("a", 1))
RIVALS: Final = (("x", 0), ("y", 1))
FOLLOWER: Final = (("a", 0), ("a", 1), ("z", 1))
SETUPS: Final = {
    "rivals, a retry, a lost reply": Setup((*RIVALS, ("x", 1)), Budget(lost=1)),
    "a retry that needs another's effect": Setup(FOLLOWER, Budget(lost=1)),
    "two losses": Setup(RETRY, Budget(lost=2)),
    "too late after a loss": Setup((("d", 0), ("d", 1)), Budget(lost=1, ticks=2)),
    "a new epoch and a loss": Setup(RETRY, Budget(lost=1, reseeds=1)),
    "the same time-out on both nodes": Setup((("a", 0), ("b", 1)), Budget(ticks=2), TOY),
    "a trimmed log": Setup((("a", 0), ("b", 0), ("b", 1)), Budget(trims=1)),
    "authors who wait no longer": Setup(RETRY, Budget(lost=1, expiries=1)),
    "a memory of one command": Setup((*RETRY, ("b", 0)), rules=mutants.SHORT_MEMORY, limits=Limits(1, 99)),
    "a retry in the same batch": Setup(
        (("a", 0), ("b", 0), ("a", 0)), Budget(lost=1), mutants.SHORT_MEMORY, Limits(3, 99), nodes=1
    ),
}
LARGE: Final = {
    "a time-out and a loss": Setup((("a", 0),), Budget(lost=1, ticks=2), TOY),
    "three commands and a retry": Setup((*FOLLOWER, ("b", 0))),
    "a new epoch during a retry": Setup((*RETRY, ("b", 1)), Budget(reseeds=1)),
    "five commands in any order": Setup((*FOLLOWER, *RIVALS)),
    "six commands": Setup((*FOLLOWER, *RIVALS, ("b", 0)), queued=True),
    "three nodes": Setup((("x", 0), ("y", 1), ("x", 2)), nodes=3),
    "three losses": Setup(RETRY, Budget(lost=3)),
    "a loss, a new epoch, a trimmed log and impatience": Setup((("x", 0),), Budget(1, 1, 1, 1)),
}
FAULTS: Final = {
    "no check of the position": Setup(RETRY, pipeline=mutants.NoPosition),
    "no check of the epoch": Setup(RETRY, Budget(reseeds=1), pipeline=mutants.NoEpoch),
    "no reading before a retry": Setup((("d", 0),), Budget(lost=1, ticks=1), pipeline=mutants.NoRead),
    "deciding again what may be on its way": Setup((("d", 0),), Budget(lost=1, ticks=1), pipeline=mutants.NoResend),
    "acknowledgement before commit": Setup(RETRY, pipeline=mutants.AcknowledgesFirst),
    "acknowledgement on sending": Setup(RETRY, pipeline=mutants.AcknowledgesOnSending),
    "refusal on an old state": Setup((*FOLLOWER, ("z", 0)), pipeline=mutants.RefusesAtOnce),
    "losers sent again undecided": Setup(RIVALS, limits=Limits(2, 99), pipeline=mutants.SendsLosersAgain),
    "losers forgotten": Setup(RIVALS, pipeline=mutants.ForgetsToAnswer),
    "duplicates taken for stored": Setup(
        (*RETRY, ("b", 0)), rules=mutants.SHORT_MEMORY, limits=Limits(1, 99), pipeline=mutants.TrustsEveryReply
    ),
    "no memory of commands anywhere": Setup(RETRY, rules=mutants.NO_MEMORY, faults=Faults(commands=True)),
    "no memory of commands in the log": Setup(
        (*RETRY, ("b", 0)), rules=mutants.SHORT_MEMORY, limits=Limits(1, 99), faults=Faults(commands=True)
    ),
    "no memory of commands in the state": Setup((("d", 0), ("d", 1)), Budget(ticks=2), mutants.NO_MEMORY),
    "a log without positions": Setup(RIVALS, faults=Faults(position=True)),
    "a log without epochs": Setup(RETRY, Budget(reseeds=1), faults=Faults(epoch=True)),
}


@pytest.mark.parametrize("name", SETUPS)
def test_every_promise_holds_in_every_state(name: str) -> None:
    """One history for all nodes, one effect for each command, true answers, and nobody left without one."""
    found = explore(SETUPS[name])
    FOUND[name] = f"{found.states} states, {found.steps} steps, depth {found.depth}"
    assert found.states > 100


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", LARGE)
def test_every_promise_holds_in_larger_worlds(name: str) -> None:
    """The same, with more commands, more nodes and more that goes wrong at once."""
    found = explore(LARGE[name], ceiling=3_000_000)
    FOUND[name] = f"{found.states} states, {found.steps} steps, depth {found.depth}"
    assert found.states > 10_000


@pytest.mark.parametrize("name", FAULTS)
def test_a_rule_taken_out_is_noticed(name: str) -> None:
    """Each rule of the pipeline and of the log is needed: without it a promise breaks."""
    with pytest.raises(Violation) as broken:
        explore(FAULTS[name], ceiling=60_000)
    FOUND[name] = f"killed: {broken.value}"
