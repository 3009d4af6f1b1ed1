# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.media.packet_path import PurePath
from tests.media.paths import compiled_path
from tests.media.story import Action, actions, long_story, told_on_both


@given(st.lists(actions, max_size=60), st.booleans())
def test_the_compiled_path_does_what_the_reference_does(story: list[Action], streamed: bool) -> None:
    """The same packets, byte for byte when decrypted, and the same state: over losses, leaps, switches and repeats."""
    pure, compiled = told_on_both(story, PurePath(), compiled_path(), streamed=streamed)
    assert compiled.outcome() == pure.outcome()


@pytest.mark.parametrize("seed", range(20))
def test_it_does_so_for_long(seed: int) -> None:
    """As above, with segments long enough for every rule to be met."""
    streamed = bool(seed % 2)
    pure, compiled = told_on_both(long_story(seed), PurePath(), compiled_path(), streamed=streamed)
    assert compiled.outcome() == pure.outcome()
    assert sum(len(seat.packets) for seat in compiled.seats) > 200
    assert streamed or compiled.unsteady < pure.unsteady * 9 // 10
