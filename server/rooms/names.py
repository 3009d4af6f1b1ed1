# SPDX-License-Identifier: Apache-2.0
"""Displayed names and texts as they are stored."""

from __future__ import annotations

import unicodedata
from typing import Final

MAX_NAME: Final = 40
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that show nothing or change how the rest is shown."""
_JOINERS: Final = frozenset("\u200c\u200d")
"""Zero-width joiners: needed to spell Persian and Indic names, and by many emoji."""
NO_TEXT: Final = "text: nothing to be seen in it"
_LINES: Final = frozenset("\n\t")


def clean_name(name: str) -> str | None:
    """The name in NFC, without outer and repeated spaces; None unless it has 1 to 40 visible characters."""
    clean = " ".join(unicodedata.normalize("NFC", name).split())
    hidden = any(unicodedata.category(char) in _UNSEEN and char not in _JOINERS for char in clean)
    return None if hidden or not clean.strip("".join(_JOINERS)) or len(clean) > MAX_NAME else clean


def clean_text(text: str) -> str:
    """The text in NFC, without outer spaces and without control characters other than line breaks and tabs."""
    shown = (
        char for char in unicodedata.normalize("NFC", text) if char in _LINES or unicodedata.category(char) != "Cc"
    )
    return "".join(shown).strip()
