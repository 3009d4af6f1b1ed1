# SPDX-License-Identifier: Apache-2.0
"""Who takes part in the browser tests: everyone has an own colour and an own tone, told apart at the far end."""

from __future__ import annotations

from typing import Final, NamedTuple


class Look(NamedTuple):
    """`hue`: red, green, blue 0-255. `hz`: frequency of the person's tone."""

    hue: tuple[int, int, int]
    hz: int


_HUES: Final = (
    (220, 40, 40),
    (40, 190, 60),
    (50, 70, 230),
    (230, 210, 40),
    (220, 50, 220),
    (40, 205, 220),
    (240, 125, 25),
    (120, 50, 170),
    (128, 128, 128),
    (100, 65, 20),
    (235, 235, 235),
    (20, 90, 110),
    (160, 235, 150),
    (245, 160, 190),
)
_NAMES: Final = (
    "Moderator",
    "Ana",
    "Ben",
    "Cleo",
    "Dina",
    "Eli",
    "Fay",
    "Gus",
    "Hal",
    "Ida",
    "Jo",
    "Kim",
    "Lou",
    "Max",
)
LOOKS: Final[dict[str, Look]] = {
    name: Look(hue, 450 + 150 * i) for i, (name, hue) in enumerate(zip(_NAMES, _HUES, strict=True))
}
"""150 Hz apart: three bins of the 1024-point spectrum that listens."""


def speaker_of(hz: float, among: frozenset[str] = frozenset(LOOKS)) -> str | None:
    """Whose tone this is, if anybody's: at most half the distance to the neighbouring tone away."""
    name = min(among, key=lambda one: abs(LOOKS[one].hz - hz))
    return name if abs(LOOKS[name].hz - hz) < 75 else None
