# SPDX-License-Identifier: Apache-2.0
"""How long packets take through a worker: from the kernel's receipt to the system call that sends them on."""

from __future__ import annotations

import fcntl
import socket
import struct
import sys
import time
from typing import Final

SAMPLE_EVERY: Final = 16
"""Of so many readings of a socket one is looked at."""

_STAMP: Final = struct.Struct("@ll")
_SIOCGSTAMPNS: Final = 0x8907
"""Linux, socket(7): when the kernel got the packet that was read last."""

_LINUX: Final = sys.platform == "linux"
_MAX_NS: Final = 10_000_000_000
"""A longer one means that somebody set the clock."""

NS: Final = 1_000_000_000


class ForwardLatency:
    """Samples the oldest packet of a reading, which waits longest; without the kernel's word, from the reading on."""

    def __init__(self) -> None:
        self._turn = 0
        self._samples_ns: list[int] = []

    def begin(self, sock: socket.socket) -> int:
        """Before a socket that is readable is read: what to give to `end`, 0 mostly."""
        self._turn += 1
        return 0 if self._turn % SAMPLE_EVERY else _received_ns(sock)

    def end(self, since_ns: int) -> None:
        """Everything that was read has been sent on."""
        if since_ns and 0 <= (passed_ns := time.time_ns() - since_ns) < _MAX_NS:
            self._samples_ns.append(passed_ns)

    def take_ms(self) -> tuple[float, float]:
        """The median and the 99th percentile since the last call; zeros when nothing was read."""
        samples, self._samples_ns = sorted(self._samples_ns), []
        if not samples:
            return 0.0, 0.0
        return samples[len(samples) // 2] / 1e6, samples[len(samples) * 99 // 100] / 1e6


def _received_ns(sock: socket.socket) -> int:
    """Wall time at which the packet to be read next arrived."""
    if _LINUX:
        try:
            # A look at it is a reading, too: the stamp is that of this packet.
            sock.recv(1, socket.MSG_PEEK)
            seconds, nanoseconds = _STAMP.unpack(fcntl.ioctl(sock, _SIOCGSTAMPNS, bytes(_STAMP.size)))
        except OSError:
            # An ICMP error, or nothing was stamped yet.
            return 0
        return int(seconds * NS + nanoseconds)
    return time.time_ns()
