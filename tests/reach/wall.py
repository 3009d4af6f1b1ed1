# SPDX-License-Identifier: Apache-2.0
"""A house whose network lets out TCP to a few ports and, unless told otherwise, no UDP: a namespace with nftables."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from tests.network.namespaces import End, run

TOOLS: Final = ("ip", "nft", "turnserver", "chromium")


def require(*tools: str) -> None:
    """Skip, loudly (-ra), what this machine cannot have: namespaces need root. In CI a missing tool is a fault.

    `make browser` installs the tools; a CI job that is not root, or not allowed to make namespaces, skips as well.
    """
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing and os.environ.get("CI") == "true":
        pytest.fail(f"CI must have {', '.join(missing)}: see scripts/debian")
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")
    if "ip" in tools and not _can_make_namespaces():
        pytest.skip("needs root and the right to make network namespaces")


def _can_make_namespaces() -> bool:
    if os.geteuid() != 0:
        return False
    name = f"hs-{secrets.token_hex(3)}"
    made = subprocess.run(["ip", "netns", "add", name], check=False, capture_output=True).returncode == 0
    subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)
    return made


class House(NamedTuple):
    """Inside the wall. `outside` is the address of this machine as seen from there, `also` another one of it."""

    end: End
    outside: str
    also: str

    def program(self, path: str, folder: Path) -> Path:
        """A script that runs a program inside, wherever it is called from."""
        script = folder / f"{Path(path).name}-inside"
        script.write_text(f'#!/bin/sh\nexec ip netns exec {self.end.namespace} {path} "$@"\n')
        script.chmod(0o755)
        return script


@contextmanager
def walled(*tcp_ports: int, version: int = 4, udp: bool = False) -> Iterator[House]:
    """A house joined to this machine's own network; `tcp_ports` of this machine are all that can be reached.

    `udp`: and every port over UDP. Addresses are of this version of IP and of no other.
    """
    mark = secrets.token_hex(3)
    name, inner, outer = f"hs-{mark}", f"hs{mark}i", f"hs{mark}o"
    net = secrets.randbelow(200) + 20
    here, there, also = (f"10.78.{net}.{last}" if version == 4 else f"fd78:{net:x}::{last}" for last in (1, 2, 3))
    length, flag = (24, "") if version == 4 else (64, "nodad")
    try:
        run(f"ip netns add {name}")
        run(f"ip link add {outer} type veth peer {inner} netns {name}")
        for address in (here, also):
            run(f"ip address add {address}/{length} dev {outer} {flag}")
        run(f"ip link set {outer} up")
        run(f"ip -n {name} address add {there}/{length} dev {inner} {flag}")
        run(f"ip -n {name} link set {inner} up")
        run(f"ip -n {name} link set lo up")
        # Browsers look for the address of their default route.
        run(f"ip -n {name} route add default via {here}")
        _close_all_but(name, tcp_ports, udp=udp)
        yield House(End(name, inner, there), here, also)
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)
        subprocess.run(["ip", "link", "delete", outer], check=False, capture_output=True)


def _close_all_but(namespace: str, tcp_ports: tuple[int, ...], *, udp: bool) -> None:
    ports = ", ".join(map(str, tcp_ports))
    rules = f"""
    table inet wall {{
      chain out {{
        type filter hook output priority 0; policy drop;
        oif "lo" accept
        icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit }} accept
        tcp dport {{ {ports} }} accept
        {"meta l4proto udp accept" if udp else ""}
      }}
    }}
    """
    command = ["ip", "netns", "exec", namespace, "nft", "-f", "-"]
    subprocess.run(command, input=rules.encode(), check=True, capture_output=True)
