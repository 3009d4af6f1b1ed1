# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from server.media.overload import BUSY, CALM, CALM_S, PATIENCE_S, TOO_BUSY, TOO_LATE_MS, Overload, Shed


def overloaded(steps: int) -> Overload:
    """A worker that has left out so much."""
    overload = Overload()
    for _ in range(steps * PATIENCE_S):
        overload.update(1.0, 5.0)
    return overload


def test_a_worker_at_its_limit_sheds_step_by_step_and_no_further_than_pictures() -> None:
    """The largest layers go first, all pictures last; there is nothing below, voices are never shed."""
    overload = Overload()
    steps = [overload.shed for _ in range(6 * PATIENCE_S) if overload.update(1.0, 5.0)]
    assert steps == [Shed.LARGE, Shed.MIDDLE, Shed.MOST, Shed.ALL_PICTURES]


def test_people_who_all_join_at_once_are_no_overload() -> None:
    """Two seconds of handshakes leave every picture as it was."""
    overload = Overload()
    for _ in range(PATIENCE_S - 1):
        assert not overload.update(1.0, 400.0)
    assert not overload.update(0.5, 2.0)
    assert overload.shed is Shed.NOTHING


def test_calm_gives_back_one_step_at_a_time() -> None:
    """Everything at once would bring the overload back."""
    overload = overloaded(2)
    changes = [overload.update(0.8, 1.0) for _ in range(2 * CALM_S)]
    assert [index for index, changed in enumerate(changes) if changed] == [CALM_S - 1, 2 * CALM_S - 1]
    assert overload.shed is Shed.NOTHING


def test_what_was_given_back_too_soon_is_given_back_later_next_time() -> None:
    """A worker just below its limit does not flap for ever."""
    overload = overloaded(1)
    waits = []
    for _ in range(4):
        waits.append(1)
        while not overload.update(0.8, 1.0):
            waits[-1] += 1
        overload.shed = Shed.LARGE
        while not overload.update(1.0, 1.0):
            pass
    assert waits[0] == CALM_S
    assert waits == sorted(waits)
    assert waits[-1] > waits[0]


def test_a_late_loop_with_little_to_do_sheds_nothing() -> None:
    """One slow handshake or a paused host is no overload: fewer pictures would not help."""
    overload = Overload()
    assert not any(overload.update(0.2, 500.0) for _ in range(20))


@given(st.lists(st.tuples(st.floats(0, 1.2), st.floats(0, 200)), max_size=80))
def test_changes_follow_what_lasts(seconds: list[tuple[float, float]]) -> None:
    """However the load moves: a step up after seconds of trouble in a row, a step down after seconds of calm."""
    overload = Overload()
    calm = trouble = 0
    for busy, lag_ms in seconds:
        before = overload.shed
        overload.update(busy, lag_ms)
        calm = calm + 1 if busy < CALM else 0
        trouble = trouble + 1 if busy > TOO_BUSY or (lag_ms > TOO_LATE_MS and busy > BUSY) else 0
        assert overload.shed <= before or trouble >= PATIENCE_S
        assert overload.shed >= before or calm >= CALM_S
        assert abs(overload.shed - before) <= 1
