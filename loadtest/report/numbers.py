# SPDX-License-Identifier: Apache-2.0
"""Figures as people read them: three digits that matter, and a dash for nothing. Pure."""

from __future__ import annotations

from typing import Final

NOTHING: Final = "-"
_MANY: Final = 100
_SOME: Final = 10


def was(value: float | None) -> str:
    """What became of something that was required, as the end of a sentence."""
    return "nothing was recorded" if value is None else f"was {shown(value)}"


def shown(value: float | None) -> str:
    """12,345 / 123 / 12.3 / 1.23."""
    if value is None:
        return NOTHING
    if abs(value) >= _MANY or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= _SOME else f"{value:.2f}"
