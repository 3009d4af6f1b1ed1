# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.media.congestion.allocation import KEEP, Choice, Offered, Wanted, allocate
from server.ports import PauseReason

THREE = (Offered(80_000, 135), Offered(230_000, 270), Offered(900_000, 540))
PAUSED = PauseReason.BANDWIDTH


def settle(available: float, wanted: list[Wanted]) -> tuple[Choice, ...]:
    """The choices after a few rounds with the same budget."""
    choices: tuple[Choice, ...] = (PAUSED,) * len(wanted)
    for _ in range(4):
        choices = allocate(available, wanted, choices).choices
    return choices


def level(choice: Choice) -> int:
    """Layers by index, below them all pauses."""
    return choice if isinstance(choice, int) else -1


def by_importance(wanted: list[Wanted]) -> list[int]:
    """Indices, the most important first."""
    return sorted(range(len(wanted)), key=lambda at: (not wanted[at].pinned, wanted[at].rank))


def cost(wanted: list[Wanted], choices: tuple[Choice, ...]) -> int:
    """What the choices take."""
    return sum(
        want.layers[choice].bitrate_bps for want, choice in zip(wanted, choices, strict=True) if isinstance(choice, int)
    )


def test_layer_follows_the_tile() -> None:
    """With enough for all each picture has the smallest layer that fills its tile."""
    wanted = [Wanted(THREE, height, rank) for rank, height in enumerate((90, 180, 300, 360, 1080))]
    assert settle(1e9, wanted) == (0, 0, 1, 1, 2)


def test_everyone_before_anyone_larger() -> None:
    """A small budget gives small pictures to all, and pauses the least important."""
    wanted = [Wanted(THREE, 540, rank) for rank in range(4)]
    assert settle(280_000, wanted) == (0, 0, 0, PAUSED)
    assert settle(400_000, wanted) == (0, 0, 0, 0)
    assert settle(580_000, wanted) == (1, 0, 0, 0)


def test_pinned_goes_first() -> None:
    """What somebody pinned goes before a better rank."""
    wanted = [Wanted(THREE, 540, 0), Wanted(THREE, 540, 1, pinned=True)]
    assert settle(100_000, wanted) == (PAUSED, 0)
    assert settle(390_000, wanted) == (0, 1)


def test_overload_limits_layers() -> None:
    """A limit lowers pictures, and pauses with its own reason."""
    wanted = [Wanted(THREE, 540, 0, limit=1), Wanted(THREE, 540, 1, limit=-1)]
    assert settle(1e9, wanted) == (1, PauseReason.OVERLOAD)


def test_silent_layer_is_not_chosen() -> None:
    """A layer that does not come in is skipped; when none comes the smallest is awaited."""
    wanted = [
        Wanted((Offered(0, 0), Offered(230_000, 270), Offered(0, 0)), 540, 0),
        Wanted((Offered(0, 0), Offered(0, 0)), 540, 1),
    ]
    assert settle(1e9, wanted) == (1, 0)


def test_tile_at_the_edge_does_not_flap() -> None:
    """A tile that grows and shrinks a little keeps its layer."""
    choices: tuple[Choice, ...] = (0,)
    seen = []
    for height in (170, 185, 175, 190, 170, 200, 230, 200, 190, 230, 100):
        choices = allocate(1e9, [Wanted(THREE, height, 0)], choices).choices
        seen.append(choices[0])
    assert seen == [0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0]


def test_who_is_shown_smaller_is_not_paused_for_it() -> None:
    """What flowed for the larger tile has ended, so the others cannot stay above the budget as if nothing changed."""
    wanted = [Wanted(THREE, 540, 0), Wanted(THREE, 90, 1)]
    assert allocate(215_000, wanted, (1, 1)).choices == (0, 0)
    assert allocate(215_000, wanted, (1, PAUSED)).choices == (1, PAUSED)


def test_new_speaker_takes_over() -> None:
    """When ranks change the more important picture gets what the other had."""
    before = allocate(330_000, [Wanted(THREE, 270, 0), Wanted(THREE, 270, 1)], (PAUSED, PAUSED)).choices
    before = allocate(345_000, [Wanted(THREE, 270, 0), Wanted(THREE, 270, 1)], before).choices
    assert before == (1, 0)
    assert allocate(345_000, [Wanted(THREE, 270, 1), Wanted(THREE, 270, 0)], before).choices == (0, 1)


layers = st.lists(st.integers(1_000, 300_000), min_size=1, max_size=3).map(
    lambda steps: tuple(Offered(sum(steps[: at + 1]), (135, 270, 540)[at]) for at in range(len(steps)))
)
pictures = st.lists(
    st.tuples(layers, st.sampled_from([90, 200, 400, 800]), st.booleans()), min_size=1, max_size=12
).map(lambda rows: [Wanted(offered, height, rank, pinned) for rank, (offered, height, pinned) in enumerate(rows)])


presents = st.lists(st.integers(-1, 2), min_size=12, max_size=12)


def choices_of(wanted: list[Wanted], levels: list[int]) -> tuple[Choice, ...]:
    """Present choices: these levels, as far as there are such layers."""
    return tuple(
        PAUSED if index < 0 else min(index, len(want.layers) - 1) for want, index in zip(wanted, levels, strict=False)
    )


@settings(max_examples=100, deadline=None)
@given(wanted=pictures, present=presents, available=st.integers(0, 4_000_000))
def test_never_above_the_budget(wanted: list[Wanted], present: list[int], available: int) -> None:
    """What changes stays within the budget, what stays within `KEEP` of it."""
    before = choices_of(wanted, present)
    choices = allocate(available, wanted, before).choices
    assert cost(wanted, choices) <= available * (KEEP if choices == before else 1)


@settings(max_examples=100, deadline=None)
@given(wanted=pictures, present=presents, available=st.integers(0, 4_000_000), more=st.integers(0, 1_000_000))
def test_more_budget_is_never_worse(wanted: list[Wanted], present: list[int], available: int, more: int) -> None:
    """With more budget a picture gets worse only in favour of a more important one."""
    before = choices_of(wanted, present)
    less = allocate(available, wanted, before).choices
    greater = allocate(available + more, wanted, before).choices
    changes = [level(greater[at]) - level(less[at]) for at in by_importance(wanted)]
    assert next((change for change in changes if change), 0) >= 0


@settings(max_examples=100, deadline=None)
@given(
    wanted=pictures, available=st.integers(0, 4_000_000), noise=st.lists(st.floats(0.98, 1.02), min_size=1, max_size=6)
)
def test_stable_under_noise(wanted: list[Wanted], available: int, noise: list[float]) -> None:
    """Once settled, small changes of budget and rates only ever help the more important: no way back and forth."""
    choices = settle(available, wanted)
    for factor in noise:
        noisy = [
            want._replace(layers=tuple(Offered(int(layer.bitrate_bps * factor), layer.height) for layer in want.layers))
            for want in wanted
        ]
        before, choices = choices, allocate(available * (2 - factor), noisy, choices).choices
        changes = [level(choices[at]) - level(before[at]) for at in by_importance(wanted)]
        assert next((change for change in changes if change), 0) >= 0


@settings(max_examples=50, deadline=None)
@given(wanted=pictures)
def test_desire_is_enough(wanted: list[Wanted]) -> None:
    """With what is desired, and the margin of what does not flow yet, nothing is paused."""
    before = (PAUSED,) * len(wanted)
    desired = allocate(0, wanted, before).desired_bps
    assert all(isinstance(choice, int) for choice in allocate(1.2 * desired, wanted, before).choices)


@pytest.mark.alone
def test_cheap_for_twelve() -> None:
    """An allocation for twelve pictures costs little enough to run on every change."""
    wanted = [Wanted(THREE, 360, rank) for rank in range(12)]
    before = settle(3e6, wanted)
    began = time.perf_counter()
    for _ in range(200):
        allocate(3e6, wanted, before)
    assert (time.perf_counter() - began) / 200 < 0.001
