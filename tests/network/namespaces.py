# SPDX-License-Identifier: Apache-2.0
"""Network namespaces of a test: two joined by a virtual cable, and sockets inside them for this very process."""

from __future__ import annotations

import ctypes
import os
import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import pytest

T = TypeVar("T")

_CLONE_NEWNET: Final = 0x40000000

needs_namespaces = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("ip") is None or shutil.which("tc") is None,
    reason="network namespaces need root, ip and tc",
)


class End(NamedTuple):
    """One end of a cable."""

    namespace: str
    device: str
    address: str

    def inside(self, make: Callable[[], T]) -> T:
        """Call this in the namespace: a socket made there stays there, whoever uses it later."""
        with ThreadPoolExecutor(1) as executor:
            return executor.submit(self._enter_and, make).result()

    def shape(self, rate_bps: int, queue_ms: float, burst_bytes: int = 1_600) -> None:
        """What leaves this end is held to a rate by `tc tbf`."""
        limit = round(rate_bps / 8 * queue_ms / 1_000) + burst_bytes
        shaping = f"root tbf rate {rate_bps} burst {burst_bytes} limit {limit}"
        run(f"ip netns exec {self.namespace} tc qdisc replace dev {self.device} {shaping}")

    def _enter_and(self, make: Callable[[], T]) -> T:
        descriptor = os.open(Path("/var/run/netns") / self.namespace, os.O_RDONLY)
        try:
            if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
        finally:
            os.close(descriptor)
        return make()


@contextmanager
def cable() -> Iterator[tuple[End, End]]:
    """Two new namespaces with a cable between them."""
    mark = secrets.token_hex(3)
    ends = End(f"hs-{mark}-a", f"hs{mark}a", "10.77.0.1"), End(f"hs-{mark}-b", f"hs{mark}b", "10.77.0.2")
    try:
        for end in ends:
            run(f"ip netns add {end.namespace}")
        run(f"ip link add {ends[0].device} netns {ends[0].namespace} type veth peer {ends[1].device} "
            f"netns {ends[1].namespace}")  # fmt: skip
        for end in ends:
            run(f"ip -n {end.namespace} address add {end.address}/24 dev {end.device}")
            run(f"ip -n {end.namespace} link set {end.device} up")
            run(f"ip -n {end.namespace} link set lo up")
        yield ends
    finally:
        for end in ends:
            subprocess.run(["ip", "netns", "delete", end.namespace], check=False, capture_output=True)


def run(command: str) -> None:
    """A command that must succeed."""
    subprocess.run(command.split(), check=True, capture_output=True)
