# SPDX-License-Identifier: Apache-2.0
"""What left towards one subscriber, by transport-wide sequence number."""

from __future__ import annotations

from typing import Final

SIZE: Final = 2048
"""Packets remembered, a power of two: about two seconds of twelve slots at 5 Mbit/s."""

_MASK: Final = SIZE - 1


class SendHistory:
    """Numbers every packet of one transport and keeps when it left and how long it was.

    `state[0]` is the next sequence number (unwrapped; the low 16 bits go on the wire), `state[1]` all bytes sent.
    The entry of number `n` is at `n % SIZE` of `times` (monotonic ns; 0: not sent, or acknowledged) and `sizes` (bytes
    on the wire, UDP payload). Whoever is in a hurry may write them by the rules of `next` and `sent`.
    """

    __slots__ = ("sizes", "state", "times")

    def __init__(self, first: int = 1) -> None:
        self.state = [first, 0]
        self.times = [0] * SIZE
        self.sizes = [0] * SIZE

    def next(self) -> int:
        """The number of the packet about to leave; its entry is empty until `sent`."""
        sequence = self.state[0]
        self.state[0] = sequence + 1
        self.times[sequence & _MASK] = 0
        return sequence

    def sent(self, sequence: int, size_bytes: int, now_ns: int) -> None:
        """The packet of this number left; it is at most 65,535 bytes long."""
        at = sequence & _MASK
        self.times[at] = now_ns
        self.sizes[at] = size_bytes
        self.state[1] += size_bytes

    @property
    def total_bytes(self) -> int:
        """Everything sent so far."""
        return self.state[1]

    def unwrap(self, sequence16: int) -> int:
        """The latest number given out whose low 16 bits are these; below zero if none was."""
        newest = self.state[0] - 1
        return newest - (newest - sequence16 & 0xFFFF)
