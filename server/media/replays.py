# SPDX-License-Identifier: Apache-2.0
"""Which checks of a connection were seen before: whoever captured one may send it again.

They are known by their signature (RFC 8489 section 14.5). It covers the transaction id, which is chosen at random for
each request, so that a genuine one comes from one address only; and USE-CANDIDATE, since there are agents that nominate
under the id of the check before.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from typing import Final
from zlib import crc32

KEPT: Final = 4_096
"""At the least, twice that at the most: three hours of an agent that checks each 2.5 s, in 32 KiB."""


def tag(signature: bytes) -> int:
    """What is kept of a signature: two of a connection are the same once in a million."""
    return crc32(signature)


class Replays:
    """The tags seen lately: two sorted generations, of which the former is forgotten when the present one is full."""

    __slots__ = ("_former", "_present")

    def __init__(self) -> None:
        self._former = array("I")
        self._present = array("I")

    def fresh(self, seen: int) -> bool:
        """Whether this one is new. It is not any more."""
        at = bisect_left(self._present, seen)
        if _stands(self._present, at, seen) or _stands(self._former, bisect_left(self._former, seen), seen):
            return False
        self._present.insert(at, seen)
        if len(self._present) == KEPT:
            self._former, self._present = self._present, array("I")
        return True


def _stands(tags: array[int], at: int, wanted: int) -> bool:
    return at < len(tags) and tags[at] == wanted
