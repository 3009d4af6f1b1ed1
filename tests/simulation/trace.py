# SPDX-License-Identifier: Apache-2.0
"""What happened, in order, as text; and one number for all of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable


class Trace:
    """Lines with the time before them. Two runs are the same if their digests are."""

    def __init__(self, now_s: Callable[[], float], *, keep: bool = False) -> None:
        self.lines: list[str] = []
        self.count = 0
        self._now_s = now_s
        self._keep = keep
        self._hash = hashlib.sha256()

    def add(self, who: str, what: str) -> None:
        """Something has happened."""
        line = f"{self._now_s():11.6f} {who:8} {what}"
        self.count += 1
        self._hash.update(line.encode())
        if self._keep:
            self.lines.append(line)

    @property
    def digest(self) -> str:
        """Of everything so far."""
        return self._hash.hexdigest()
