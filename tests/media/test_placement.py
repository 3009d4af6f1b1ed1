# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from server.ids import ParticipantId, Placement
from server.media.placement import FULL, PAIR_BUSY, WorkerLoad, choose_worker, expected_busy
from server.rooms.routes import RouteGroup


def load(measured: float, expected: float = 0.0, *, ready: bool = True, draining: bool = False) -> WorkerLoad:
    """A worker with these shares of a core in use."""
    return WorkerLoad(ready=ready, draining=draining, measured=measured, expected=expected)


def group(people: int) -> RouteGroup:
    """People who all speak and are seen."""
    members = tuple(ParticipantId(f"p{number}") for number in range(people))
    return RouteGroup(placement=Placement("main"), members=members, audio=members, video=members)


LOADS = st.builds(
    load,
    st.floats(0, 1.5),
    st.floats(0, 1.5),
    ready=st.booleans(),
    draining=st.booleans(),
)


@given(st.lists(LOADS, max_size=6))
def test_the_least_loaded_worker_that_stays_takes_the_room(loads: list[WorkerLoad]) -> None:
    """Never one that is away or leaving, and never a busier one than need be."""
    chosen = choose_worker(loads)
    able = [each.load for each in loads if each.ready and not each.draining]
    if chosen is None:
        assert not able
    else:
        assert loads[chosen].ready
        assert not loads[chosen].draining
        assert loads[chosen].load == min(able)


@given(LOADS)
def test_a_worker_takes_new_rooms_only_with_room_to_grow(worker: WorkerLoad) -> None:
    """What is measured and what is promised both count."""
    free = max(worker.measured, worker.expected) < FULL
    assert worker.takes_rooms == (worker.ready and not worker.draining and free)


def test_a_room_counts_before_its_packets_do() -> None:
    """A worker that was just given rooms is not given all the others too."""
    assert choose_worker([load(0.0, 0.3), load(0.1, 0.1)]) == 1


def test_a_breakout_costs_less_than_the_plenary_of_the_same_people() -> None:
    """Forwarding grows with the square of a group, up to the slots that people have."""
    assert expected_busy([group(12)]) > expected_busy([group(4)] * 3) > 0
    assert expected_busy([group(300)]) == 300 * 12 * PAIR_BUSY
