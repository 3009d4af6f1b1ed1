# SPDX-License-Identifier: Apache-2.0
"""Where clients reach a worker: from its own addresses and what the operator announces to ICE candidates."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from typing import Final

from msgspec import Struct, structs

_ANNOUNCED: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::([0-9]{1,5})(/tcp)?)?|([0-9A-Fa-f:.]+)")
_UDP_PREFERENCE: Final = 126
_TCP_PREFERENCE: Final = 90
"""Type preferences (RFC 8445 section 5.1.2.2); TCP is for those whom UDP does not reach (RFC 6544 section 4.2)."""

_PASSIVE: Final = 4
"""Direction preference of a passive host candidate (RFC 6544 section 4.2)."""


class Candidate(Struct, frozen=True):
    """One address of ours that a client may check: host, component 1; `tcp`: it connects to us (RFC 6544)."""

    address: str
    port: int
    priority: int
    tcp: bool = False


class Announced(Struct, frozen=True):
    """An address under which the operator says we are reached; `port` None: the one we listen on."""

    address: str
    port: int | None = None
    tcp: bool = False

    def text(self) -> str:
        """As `parse_announced` reads it."""
        if self.port is None:
            return self.address
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port}{'/tcp' if self.tcp else ''}"

    def shifted(self, by: int) -> Announced:
        """That of a worker whose ports count up from the first one's."""
        return self if self.port is None else structs.replace(self, port=self.port + by)


def parse_announced(text: str) -> Announced:
    """`192.0.2.1`, `192.0.2.1:3478` (UDP), `[2001:db8::1]:443/tcp`; raises ValueError for anything else."""
    match = _ANNOUNCED.fullmatch(text)
    if match is None:
        raise ValueError(text)
    host, port = match[1] or match[2] or match[5], match[3]
    address = str(ipaddress.ip_address(host))
    if port is not None and not 0 < int(port) <= 65_535:
        raise ValueError(text)
    return Announced(address, None if port is None else int(port), tcp=match[4] is not None)


def candidates(
    addresses: Sequence[str], announced: Sequence[Announced], udp_port: int, tcp_port: int | None
) -> tuple[Candidate, ...]:
    """UDP first, then TCP if it is listened to; the local preference falls in the order given (RFC 8445, 5.1.2.1)."""
    named = announced or [Announced(address) for address in addresses]
    over_udp = [(each.address, each.port or udp_port) for each in named if not each.tcp]
    over_tcp = [(each.address, each.port or tcp_port) for each in named if each.tcp] or [
        (address, tcp_port) for address in dict.fromkeys(address for address, _ in over_udp)
    ]
    found = [
        Candidate(address, port, _priority(_UDP_PREFERENCE, len(over_udp) - index))
        for index, (address, port) in enumerate(over_udp)
    ]
    if tcp_port is not None:
        found += [
            Candidate(
                address, port or tcp_port, _priority(_TCP_PREFERENCE, _PASSIVE << 13 | len(over_tcp) - index), tcp=True
            )
            for index, (address, port) in enumerate(over_tcp)
        ]
    return tuple(found)


def _priority(kind: int, local: int) -> int:
    """RFC 8445 section 5.1.2.1, component 1."""
    return kind << 24 | local << 8 | 255
