# SPDX-License-Identifier: Apache-2.0
"""Random numbers for decisions, drawn from the system many at a time: to draw one costs as much as to decide."""

from __future__ import annotations

import os
import struct
from typing import Final

BITS: Final = 63
_DRAWN: Final = 512
_NUMBERS: Final = struct.Struct(f"<{_DRAWN}Q")


class Seeds:
    """Called without arguments: a number of `BITS` bits that nobody can foresee; none is given twice."""

    def __init__(self) -> None:
        self._left: list[int] = []

    def __call__(self) -> int:
        if not self._left:
            self._left = list(_NUMBERS.unpack(os.urandom(_NUMBERS.size)))
        return self._left.pop() >> 1
