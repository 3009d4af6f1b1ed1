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
_BLANK: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0\U0001d159")
"""Letters and symbols that show nothing: fillers of Hangul, the empty Braille cell, a note without a head."""
_MARKS: Final = frozenset({"Mn", "Me"})
MAX_MARKS: Final = 6
"""As many on one letter as any spelling needs; a pile of them covers what others have written."""


def clean_name(name: str) -> str | None:
    """The name in NFC, without outer and repeated spaces; None unless it has 1 to 40 characters that can be seen."""
    clean = " ".join(unicodedata.normalize("NFC", name).split())
    hidden = any(unicodedata.category(char) in _UNSEEN and char not in _JOINERS for char in clean)
    unfit = hidden or len(clean) > MAX_NAME or not _BLANK.isdisjoint(clean) or _level(clean) != clean
    return None if unfit or not _is_seen(clean) else clean


def clean_text(text: str) -> str:
    """The text in NFC, without outer spaces, control characters other than line breaks and tabs, and piles of marks.

    Empty if nothing of it can be seen.
    """
    shown = "".join(char for char in text if char in _LINES or unicodedata.category(char) != "Cc")
    clean = _level(unicodedata.normalize("NFC", shown)).strip()
    return clean if _is_seen(clean) else ""


def _is_seen(text: str) -> bool:
    """Whether there is more than spaces, marks, joiners and blanks."""
    return any(unicodedata.category(char)[0] in "LNPS" and char not in _BLANK for char in text)


def _level(text: str) -> str:
    """The text without the marks beyond `MAX_MARKS` in a row; what shows nothing does not end the row."""
    if text.isascii():
        return text
    kept, marks = [], 0
    for char in text:
        category = unicodedata.category(char)
        if category in _MARKS:
            marks += 1
        elif category not in _UNSEEN:
            marks = 0
        if marks <= MAX_MARKS or category not in _MARKS:
            kept.append(char)
    return "".join(kept)
