# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from server.media.overload import CALM_S, Overload, Shed


def test_a_worker_at_its_limit_sheds_a_step_a_second_and_no_further_than_pictures() -> None:
    """The largest layers go first, all pictures last; there is nothing below, voices are never shed."""
    overload = Overload()
    steps = [overload.shed for _ in range(6) if overload.update(1.0, 5.0)]
    assert steps == [Shed.LARGE, Shed.MIDDLE, Shed.MOST, Shed.ALL_PICTURES]


def test_calm_gives_back_one_step_at_a_time() -> None:
    """Everything at once would bring the overload back."""
    overload = Overload()
    overload.update(1.0, 5.0)
    overload.update(1.0, 5.0)
    changes = [overload.update(0.5, 1.0) for _ in range(2 * CALM_S)]
    assert [index for index, changed in enumerate(changes) if changed] == [CALM_S - 1, 2 * CALM_S - 1]
    assert overload.shed is Shed.NOTHING


def test_a_late_loop_with_little_to_do_sheds_nothing() -> None:
    """One slow handshake or a paused host is no overload: fewer pictures would not help."""
    overload = Overload()
    assert not overload.update(0.2, 500.0)
    assert overload.shed is Shed.NOTHING


@given(st.lists(st.tuples(st.floats(0, 1.2), st.floats(0, 200)), max_size=60))
def test_a_step_back_follows_seconds_of_calm_only(seconds: list[tuple[float, float]]) -> None:
    """However the load moves, a step is given back only after `CALM_S` calm seconds in a row."""
    overload = Overload()
    calm = 0
    for busy, lag_ms in seconds:
        before = overload.shed
        overload.update(busy, lag_ms)
        calm = calm + 1 if busy < 0.75 and lag_ms <= 40 else 0
        assert overload.shed >= before or calm >= CALM_S
        assert abs(overload.shed - before) <= 1
