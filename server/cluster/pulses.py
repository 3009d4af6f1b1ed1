# SPDX-License-Identifier: Apache-2.0
"""Which nodes have fallen silent. Pure, and without a clock: silence is counted in one's own pulses.

Every node sends a pulse to all, itself included, on one channel. When Redis is away, or this process was asleep, one's
own pulses are missing or late just as those of the others, and nobody is suspected wrongly.
"""

from __future__ import annotations

from typing import Final

from server.ids import NodeId

PULSE_S: Final = 0.5
SILENT_PULSES: Final = 4
"""A node that missed so many is taken to be dead: after 1.5 to 2 s."""


class Pulses:
    """What one node hears."""

    def __init__(self, me: NodeId) -> None:
        self._me = me
        self._missed: dict[NodeId, int] = {}

    def heard(self, node: NodeId) -> tuple[NodeId, ...]:
        """A pulse came; returns the nodes that have become silent by that."""
        if node != self._me:
            self._missed[node] = 0
            return ()
        silent = []
        for other in self._missed:
            self._missed[other] += 1
            if self._missed[other] == SILENT_PULSES:
                silent.append(other)
        return tuple(silent)

    def expect(self, node: NodeId) -> None:
        """This node should be there, whether or not it was ever heard."""
        if node != self._me:
            self._missed.setdefault(node, 0)

    def forget(self, node: NodeId) -> None:
        """This node is gone for good."""
        self._missed.pop(node, None)

    def silent(self, node: NodeId) -> bool:
        """Whether this node should have been heard by now."""
        return self._missed.get(node, 0) >= SILENT_PULSES
