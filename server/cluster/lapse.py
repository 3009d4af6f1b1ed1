# SPDX-License-Identifier: Apache-2.0
"""Which nodes have stopped. Pure: beats and the observer's own time come in, suspects go out.

No two clocks are compared: a node is suspected when its counter has stood still for a whole lease on the observer's
own monotonic clock, while the observer itself was in touch all the time. Whoever was asleep, or cut off together with
everybody else, begins to watch anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from server.ids import NodeId

LEASE_MS: Final = 5_000
TOUCH_MS: Final = 2_500
"""Longer than this without a look, and what was seen before says nothing."""


class _Seen(Struct, frozen=True):
    beat: int
    since_ms: int


class Lapses:
    """What one node knows of the others' beats."""

    def __init__(self) -> None:
        self._seen: dict[NodeId, _Seen] = {}
        self._looked_ms: int | None = None

    def look(self, now_ms: int, beats: Mapping[NodeId, int]) -> tuple[NodeId, ...]:
        """All counters as they stand; returns the nodes whose lease is over."""
        if self._looked_ms is not None and now_ms - self._looked_ms > TOUCH_MS:
            self._seen.clear()
        self._looked_ms = now_ms
        self._seen = {node: self._still(node, beat, now_ms) for node, beat in beats.items()}
        return tuple(node for node, seen in self._seen.items() if now_ms - seen.since_ms >= LEASE_MS)

    def _still(self, node: NodeId, beat: int, now_ms: int) -> _Seen:
        known = self._seen.get(node)
        return known if known is not None and known.beat == beat else _Seen(beat, now_ms)
