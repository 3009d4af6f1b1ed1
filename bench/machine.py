# SPDX-License-Identifier: Apache-2.0
"""The machine under a measurement: pinning, CPU time of processes, and what else ran meanwhile (Linux, proc(5))."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import ifaddr
from msgspec import Struct

TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_IDLE: Final = (3, 4)
_COUNTED: Final = 8
"""Of a line of /proc/stat: user to steal. Guest times are counted in the first two already."""


class Cores(Struct, frozen=True):
    """Where the server runs, and where the generator does."""

    server: int
    generator: int


class TooFewCores(RuntimeError):
    """Server and generator on one core would measure each other."""


def two_cores() -> Cores:
    """The first and the last core this process may use."""
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:  # noqa: PLR2004 - two
        raise TooFewCores
    return Cores(server=usable[0], generator=usable[-1])


def own_address() -> str:
    """An IPv4 address of this host: packets to it stay on the machine, like those to loopback, which some avoid."""
    found = [ipaddress.ip_address(ip.ip) for card in ifaddr.get_adapters() for ip in card.ips if isinstance(ip.ip, str)]
    return next((str(address) for address in found if not address.is_loopback), "127.0.0.1")


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """This thread, and every process and thread it starts meanwhile, on one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def process_cpu_ns(pid: int) -> int:
    """CPU time of all threads of a process that live now."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            total += int((task / "schedstat").read_text().split()[0])
        except FileNotFoundError:
            continue  # the thread left meanwhile
    return total


def core_busy_ns(core: int) -> int:
    """What a core was busy with since the start of the machine, the share of other guests included."""
    return busy_ticks(Path("/proc/stat").read_text(), core) * 1_000_000_000 // TICKS_PER_S


def busy_ticks(stat: str, core: int) -> int:
    """The same in ticks, from the text of /proc/stat."""
    line = next(line for line in stat.splitlines() if line.startswith(f"cpu{core} "))
    fields = [int(field) for field in line.split()[1 : 1 + _COUNTED]]
    return sum(value for index, value in enumerate(fields) if index not in _IDLE)
