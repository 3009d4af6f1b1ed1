# SPDX-License-Identifier: Apache-2.0
"""The protocol of appends, epochs and leases, enumerated: nodes, rooms, commands, and what may go wrong."""

from __future__ import annotations

from typing import Final

import pytest

from tests.cluster.model import Broken, Budget, Model, Order
from tests.cluster.model_check import Violation, explore

ANN: Final = Order(0, 0, "ann", seat=True)
BEN: Final = Order(1, 1, "ben", seat=True)
RETRY: Final = (Order(0, 0, "a"), Order(0, 1, "a"))
RIVALS: Final = (Order(0, 1, "x"), Order(0, 2, "y"))
SMALL: Final = {
    "rivals and a retry, a lost and a late append": Model((*RETRY, *RIVALS), Budget(lost=1, late=1), rooms=1),
    "a node dies or sleeps": Model((ANN, Order(0, 1, "a")), Budget(pauses=1, deaths=1), rooms=1),
    "a node sleeps while Redis is emptied": Model((ANN, Order(0, 1, "a")), Budget(pauses=1, wipes=1), rooms=1),
    "two rooms, two people, a death": Model((ANN, BEN), Budget(deaths=1), nodes=2),
}
SIX: Final = (ANN, BEN, *RETRY, *RIVALS)
LARGE: Final = {
    "six commands": Model(SIX, Budget()),
    "six commands, a lost append": Model(SIX, Budget(lost=1)),
    "six commands, a sleep": Model(SIX, Budget(pauses=1)),
    "six commands, a death": Model(SIX, Budget(deaths=1)),
    "six commands, an empty Redis": Model(SIX, Budget(wipes=1)),
}
MUTANTS: Final = {
    "no check of the position": Model(RIVALS, Budget(), rooms=1, broken=Broken(position=True)),
    "no command id": Model(RETRY, Budget(), rooms=1, broken=Broken(command=True)),
    "no new epoch": Model(
        (Order(0, 0, "a"), Order(0, 1, "b")), Budget(wipes=1), rooms=1, nodes=2, broken=Broken(epoch=True)
    ),
    "no grace": Model((ANN,), Budget(deaths=1), rooms=1, nodes=2, broken=Broken(grace=True)),
    "a node that was given up goes on": Model((ANN,), Budget(pauses=1), rooms=1, nodes=2, broken=Broken(burial=True)),
}


@pytest.mark.parametrize("name", SMALL)
def test_every_state_is_sound(name: str) -> None:
    """One history for each epoch, one effect for each command, what was acknowledged kept, nobody's seat lost."""
    found = explore(SMALL[name])
    print(f"{name}: {found}")
    assert found.complete
    assert found.states > 100


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", LARGE)
def test_every_state_of_a_larger_world_is_sound(name: str) -> None:
    """The same with three nodes, two rooms and six commands."""
    found = explore(LARGE[name])
    print(f"{name}: {found}")
    assert found.states > 10_000


@pytest.mark.parametrize("name", MUTANTS)
def test_a_check_left_out_is_noticed(name: str) -> None:
    """Each check of the protocol is needed."""
    with pytest.raises(Violation) as broken:
        explore(MUTANTS[name], ceiling=300_000)
    print(f"{name}: {broken.value}")
