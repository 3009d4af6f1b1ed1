# SPDX-License-Identifier: Apache-2.0
"""Who gets which layer on one subscriber's link. Voices are not in the auction: their share is taken off before.

Everyone's smallest picture comes before anyone's larger one, the more important first in every round. A round begins
only when the one before could be paid in full, so that more budget never makes an important picture worse. A smallest
picture that costs too much is passed over; after a larger one that does, nobody less important gets a larger one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from server.ports import PauseReason

RAISE: Final = 1.08
"""What is not flowing yet is priced this much above its rate: a choice is not taken back by small noise."""

KEEP: Final = 1.1
"""What is flowing stays while all of it costs no more than this share of the budget."""

SHARP: Final = 0.75
"""A layer is large enough for a tile if it has this share of the tile's height."""

ROOMY: Final = 1.15
"""A smaller layer replaces a flowing one that is larger than needed only if it has this share of the tile's height."""

Choice = int | PauseReason
"""A layer's index, or why no picture flows."""


class Offered(NamedTuple):
    """A layer as it comes in: `bitrate_bps` 0 when nothing comes, `height` in pixels, 0 while unknown."""

    bitrate_bps: int
    height: int


class Wanted(NamedTuple):
    """One picture that a subscriber may get.

    `layers` smallest first; `height` of the tile in device pixels; `rank` 0 is the most important; `pinned` goes before
    all that is not. `limit` is the highest layer that may be chosen, -1 for none (the server is overloaded).
    """

    layers: tuple[Offered, ...]
    height: int
    rank: int
    pinned: bool = False
    limit: int = 8


class Allotment(NamedTuple):
    """The choice for each picture, and what all of them in the size of their tiles would take.

    `complete`: that is what they got, and will get from any budget of `RAISE` times that.
    """

    choices: tuple[Choice, ...]
    desired_bps: int
    complete: bool


def allocate(
    available_bps: float, wanted: Sequence[Wanted], before: Sequence[Choice], nominal_bps: int = 150_000
) -> Allotment:
    """Share out; `before` are the present choices, index by index.

    All together takes at most `available_bps`, or up to `KEEP` times that if nothing changes. A layer that does not
    come is not chosen, unless none of the source comes: then the smallest is awaited, at `nominal_bps`.
    """
    ladders = [_ladder(want, now, nominal_bps) for want, now in zip(wanted, before, strict=True)]
    order = sorted(range(len(wanted)), key=lambda at: (not wanted[at].pinned, wanted[at].rank, at))
    present = [_step_of(ladder, now) for ladder, now in zip(ladders, before, strict=True)]
    steps = _fill(available_bps, ladders, order, present)
    stays = all(step >= 0 or not isinstance(now, int) for step, now in zip(present, before, strict=True))
    if stays and _first_change(order, present, steps) <= 0 and _cost(ladders, present) <= KEEP * available_bps:
        steps = present
    return Allotment(
        tuple(_choice(want, ladder, step) for want, ladder, step in zip(wanted, ladders, steps, strict=True)),
        sum(ladder[-1][1] for ladder in ladders if ladder),
        all(step == len(ladder) - 1 for ladder, step in zip(ladders, steps, strict=True)),
    )


_Ladder = list[tuple[int, int]]
"""The layers worth choosing, from the smallest up to the one that fills the tile: index and bits per second."""


def _ladder(want: Wanted, before: Choice, nominal_bps: int) -> _Ladder:
    if want.limit < 0:
        return []
    coming = [(index, layer) for index, layer in enumerate(want.layers) if layer.bitrate_bps > 0][: want.limit + 1]
    if not coming:
        return [(0, nominal_bps)]
    ladder: _Ladder = []
    for index, layer in coming:
        ladder.append((index, layer.bitrate_bps))
        height = layer.height or _GUESSED[min(index, len(_GUESSED) - 1)]
        # A larger one than needed stays until the smaller is surely enough.
        enough = ROOMY if isinstance(before, int) and before > index else SHARP
        if height >= enough * want.height:
            break
    return ladder


_GUESSED: Final = (180, 360, 720)
"""Heights that are assumed until a keyframe tells."""


def _step_of(ladder: _Ladder, choice: Choice) -> int:
    """How far up the ladder a choice is; -1 for paused or not to be had any more."""
    return next((step for step in range(len(ladder) - 1, -1, -1) if ladder[step][0] == choice), -1)


def _fill(available_bps: float, ladders: list[_Ladder], order: list[int], present: list[int]) -> list[int]:
    """Round by round, the important first."""
    steps = [-1] * len(ladders)
    left = available_bps
    for goal in range(max(map(len, ladders), default=0)):
        paid = True
        for at in order:
            ladder = ladders[at]
            if goal >= len(ladder) or steps[at] != goal - 1:
                continue
            price = _price(ladder, goal, present[at]) - (_price(ladder, goal - 1, present[at]) if goal else 0.0)
            if price > left:
                paid = False
                if goal:
                    break
                continue
            left -= price
            steps[at] = goal
        if not paid:
            break
    return steps


def _price(ladder: _Ladder, step: int, present: int) -> float:
    return ladder[step][1] * (RAISE if step > present else 1.0)


def _cost(ladders: list[_Ladder], steps: list[int]) -> int:
    return sum(ladder[step][1] for ladder, step in zip(ladders, steps, strict=True) if step >= 0)


def _first_change(order: list[int], before: list[int], after: list[int]) -> int:
    """Above zero if the most important change is for the better."""
    return next((after[at] - before[at] for at in order if after[at] != before[at]), 0)


def _choice(want: Wanted, ladder: _Ladder, step: int) -> Choice:
    if want.limit < 0:
        return PauseReason.OVERLOAD
    return ladder[step][0] if step >= 0 else PauseReason.BANDWIDTH
