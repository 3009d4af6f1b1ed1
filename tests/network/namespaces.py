# SPDX-License-Identifier: Apache-2.0
"""Network namespaces of a test: two joined by a virtual cable, and sockets inside them for this very process."""

from __future__ import annotations

import ctypes
import os
import secrets
import shutil
import socket
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
    """One end of a cable; without a name it is in the namespace of this process."""

    namespace: str
    device: str
    address: str

    def inside(self, make: Callable[[], T]) -> T:
        """Call this in the namespace: a socket made there stays there, whoever uses it later."""
        if not self.namespace:
            return make()
        with ThreadPoolExecutor(1) as executor:
            return executor.submit(self._enter_and, make).result()

    def udp_port(self) -> socket.socket:
        """A UDP socket on this end's address; to be called inside."""
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind((self.address, 0))
        return made

    def shape(self, rate_bps: int, queue_ms: float, burst_bytes: int = 1_600) -> None:
        """What leaves this end is held to a rate by `tc tbf`."""
        limit = round(rate_bps / 8 * queue_ms / 1_000) + burst_bytes
        shaping = f"root tbf rate {rate_bps} burst {burst_bytes} limit {limit}"
        run(f"{self.prefix('tc')} qdisc replace dev {self.device} {shaping}")

    def prefix(self, command: str) -> str:
        """`ip` or `tc` for this end's namespace."""
        return f"{command} -n {self.namespace}" if self.namespace else command

    def _enter_and(self, make: Callable[[], T]) -> T:
        descriptor = os.open(Path("/var/run/netns") / self.namespace, os.O_RDONLY)
        try:
            if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
        finally:
            os.close(descriptor)
        return make()


@contextmanager
def cable(*, far_is_here: bool = False) -> Iterator[tuple[End, End]]:
    """Two new namespaces with a cable between them; `far_is_here`: the second end is in the namespace we are in."""
    mark, net = secrets.token_hex(3), f"10.77.{secrets.randbelow(250)}"
    near = End(f"hs-{mark}-a", f"hs{mark}a", f"{net}.1")
    far = End("" if far_is_here else f"hs-{mark}-b", f"hs{mark}b", f"{net}.2")
    named = [end for end in (near, far) if end.namespace]
    try:
        for end in named:
            run(f"ip netns add {end.namespace}")
            run(f"ip -n {end.namespace} link set lo up")
        run(f"ip -n {near.namespace} link add {near.device} type veth peer {far.device}")
        target = far.namespace or str(os.getpid())
        run(f"ip -n {near.namespace} link set {far.device} netns {target}")
        for end in (near, far):
            run(f"{end.prefix('ip')} address add {end.address}/24 dev {end.device}")
            run(f"{end.prefix('ip')} link set {end.device} up")
        yield near, far
    finally:
        for end in named:
            subprocess.run(["ip", "netns", "delete", end.namespace], check=False, capture_output=True)


def run(command: str) -> None:
    """A command that must succeed."""
    subprocess.run(command.split(), check=True, capture_output=True)
