# SPDX-License-Identifier: Apache-2.0
"""The protocol of appends, epochs and leases, enumerated: nodes, rooms, commands, and what may go wrong."""

from __future__ import annotations

from typing import Final

import pytest

from tests.cluster.model import Model
from tests.cluster.model_check import Violation, explore, worlds
from tests.cluster.model_reduced import Reduced, seen_in
from tests.cluster.model_world import Broken, Budget, Order

ANN: Final = Order(0, 0, "ann", seat=True)
BEN: Final = Order(1, 1, "ben", seat=True)
RETRY: Final = (Order(0, 0, "a"), Order(0, 1, "a"))
RIVALS: Final = (Order(0, 1, "x"), Order(0, 2, "y"))
SMALL: Final = {
    "rivals and a retry, a lost and a late append": Model((*RETRY, *RIVALS), Budget(lost=1, late=1), rooms=1),
    "a node sleeps while Redis is emptied": Model((ANN,), Budget(pauses=1, wipes=1), rooms=1),
    "a failover loses an entry": Model((ANN, Order(0, 1, "a"), Order(0, 2, "b")), Budget(failovers=1), rooms=1),
    "two rooms, two people, a death": Model((ANN, BEN), Budget(deaths=1), nodes=2),
}
SIX: Final = (ANN, BEN, *RETRY, *RIVALS)
FAILING_OVER: Final = (ANN, *RETRY, Order(0, 2, "b"))
REDUCED: Final = {
    "six commands, a death": Reduced(SIX, Budget(deaths=1)),
    "six commands, a sleep": Reduced(SIX, Budget(pauses=1)),
}
REDUCED_LARGE: Final = {
    "six commands, two deaths": Reduced(SIX, Budget(deaths=2)),
    "six commands, a death and a sleep": Reduced(SIX, Budget(deaths=1, pauses=1)),
}
TWINS: Final = {
    "a death, a rival": ((ANN, *RIVALS), Budget(deaths=1), 3, 1),
    "a sleep, a command": ((ANN, Order(0, 1, "a")), Budget(pauses=1), 3, 1),
    "two rooms, a death": ((ANN, BEN), Budget(deaths=1), 2, 2),
    "two rooms, a sleep": ((ANN, BEN), Budget(pauses=1), 2, 2),
}
"""Orders, budget, nodes and rooms of worlds that are small enough for both models."""
LARGE: Final = {
    "a person and a command, a node dies or sleeps": Model(
        (ANN, Order(0, 1, "a")), Budget(pauses=1, deaths=1), rooms=1
    ),
    "a person and a command, a node sleeps while Redis is emptied": Model(
        (ANN, Order(0, 1, "a")), Budget(pauses=1, wipes=1), rooms=1
    ),
    "six commands": Model(SIX, Budget()),
    "six commands, a lost append": Model(SIX, Budget(lost=1)),
    "a failover loses an entry, an append is late": Model(FAILING_OVER, Budget(failovers=1, late=1), rooms=1),
    "two failovers": Model(FAILING_OVER, Budget(failovers=2), rooms=1),
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
    "an epoch goes on after a failover": Model(
        (Order(0, 0, "a"), Order(0, 1, "b")), Budget(failovers=1), rooms=1, nodes=2, broken=Broken(history=True)
    ),
    "no command id, reduced": Reduced(SIX, Budget(), broken=Broken(command=True)),
    "no grace, reduced": Reduced(SIX, Budget(deaths=1), broken=Broken(grace=True)),
    "a node that was given up goes on, reduced": Reduced(SIX, Budget(pauses=1), broken=Broken(burial=True)),
}


@pytest.mark.parametrize("name", SMALL)
def test_every_state_is_sound(name: str) -> None:
    """One history for each epoch, one effect for each command, what was acknowledged kept, nobody's seat lost."""
    found = explore(SMALL[name])
    print(f"{name}: {found}")
    assert found.complete
    assert found.states > 100


@pytest.mark.parametrize("name", REDUCED)
def test_every_state_with_a_death_or_a_sleep_is_sound(name: str) -> None:
    """The same with three nodes, two rooms and six commands, complete: of states that are alike one is visited."""
    found = explore(REDUCED[name])
    print(f"{name}: {found}")
    assert found.complete
    assert found.states > 1_000


@pytest.mark.parametrize("name", TWINS)
def test_the_reduced_model_sees_what_the_whole_one_sees(name: str) -> None:
    """Who lives, what has happened, who sits where and what is owed: all combinations of the whole, and no others."""
    orders, budget, nodes, rooms = TWINS[name]
    whole, reduced = (kind(orders, budget, nodes=nodes, rooms=rooms) for kind in (Model, Reduced))
    seen = [{seen_in(model, world) for world in worlds(model)} for model in (whole, reduced)]
    assert seen[0] == seen[1]
    assert len(seen[0]) > 20


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", REDUCED_LARGE)
def test_every_state_with_two_misfortunes_is_sound(name: str) -> None:
    """Two nodes die, or one dies while another one sleeps; complete."""
    found = explore(REDUCED_LARGE[name])
    print(f"{name}: {found}")
    assert found.complete
    assert found.states > 5_000


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
