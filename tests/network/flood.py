# SPDX-License-Identifier: Apache-2.0
"""Junk at a steady rate from a process of its own: `python -m tests.network.flood HOST PORT PER_SECOND SECONDS`.

Prints how many datagrams really left in each second. All kinds that a stranger may think of, in turns.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import time
from itertools import cycle
from typing import Final

COOKIE: Final = b"\x21\x12\xa4\x42"
TICK_S: Final = 0.002
BURST: Final = 16
_UDP_SEGMENT: Final = 103
"""Linux, udp(7): the kernel cuts one message into datagrams of a size, so that one core can make so many."""


def junk() -> list[tuple[bytes, int]]:
    """Bursts of datagrams, and the size of one: media, reports, ClientHello, checks, and noise of every first byte."""
    hello = bytes.fromhex("16feff0000000000000000") + (120).to_bytes(2) + b"\x01" + os.urandom(119)
    name = b"\x00\x06\x00\x0b" + b"ours:theirs" + b"\x00"
    checks = [b"", name, bytes.fromhex("80230000") * 200 + name]
    stun = [b"\x00\x01" + len(body).to_bytes(2) + COOKIE + os.urandom(12) + body for body in checks]
    media = [b"\x80\x60" + os.urandom(10) + os.urandom(size) for size in (50, 1_000)]
    report = b"\x80\xc9\x00\x07" + os.urandom(28)
    noise = [bytes([first]) + os.urandom(60) for first in range(256)]
    alike = [(data * BURST, len(data)) for data in (hello, report, *stun, *media)]
    return alike + [(b"".join(noise[at : at + BURST]), len(noise[at])) for at in range(0, len(noise), BURST)]


def main() -> None:
    """Send, in small bursts."""
    host, port, rate, seconds = sys.argv[1], *map(int, sys.argv[2:5])
    bursts = cycle(junk())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((host, port))
        begun = time.monotonic()
        sent = told = 0
        while (gone := time.monotonic() - begun) < seconds:
            for _ in range(min(round(gone * rate) - sent, rate // 10) // BURST):
                data, size = next(bursts)
                sock.sendmsg([data], [(socket.IPPROTO_UDP, _UDP_SEGMENT, struct.pack("=H", size))])
                sent += BURST
            if int(gone) > told:
                told = int(gone)
                print(sent, flush=True)
            time.sleep(TICK_S)
        print(sent, flush=True)


if __name__ == "__main__":
    main()
