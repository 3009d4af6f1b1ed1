# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.media.interfaces import local_addresses, named_addresses
from server.media.reachable import Announced, Candidate, candidates, parse_announced

HOME = ("192.0.2.1", "2001:db8::1")


def shown(found: tuple[Candidate, ...]) -> list[tuple[str, int, bool]]:
    """Without priorities, the best first."""
    ordered = sorted(found, key=lambda candidate: -candidate.priority)
    return [(candidate.address, candidate.port, candidate.tcp) for candidate in ordered]


def test_every_address_is_a_candidate_and_tcp_comes_last() -> None:
    """In the order given; each over TCP too when that is listened to (RFC 6544 section 4.2)."""
    assert shown(candidates(HOME, (), 5000, None)) == [(HOME[0], 5000, False), (HOME[1], 5000, False)]
    assert shown(candidates(HOME, (), 5000, 443))[2:] == [(HOME[0], 443, True), (HOME[1], 443, True)]


def test_priorities_are_those_of_the_rfc() -> None:
    """RFC 8445 section 5.1.2.1 with type preference 126, component 1; RFC 6544 section 4.2: passive has direction 4."""
    udp, tcp = candidates(HOME[:1], (), 5000, 443)
    assert udp.priority == 2**24 * 126 + 2**8 * 1 + (256 - 1)
    assert tcp.priority == 2**24 * 90 + 2**8 * (2**13 * 4 + 1) + (256 - 1)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["203.0.113.7"], [("203.0.113.7", 5000, False), ("203.0.113.7", 9000, True)]),
        (["203.0.113.7:3478"], [("203.0.113.7", 3478, False), ("203.0.113.7", 9000, True)]),
        (["203.0.113.7", "203.0.113.7:443/tcp"], [("203.0.113.7", 5000, False), ("203.0.113.7", 443, True)]),
        (["[2001:db8::7]:443/tcp"], [("2001:db8::7", 443, True)]),
    ],
)
def test_announced_addresses_stand_for_the_own_ones(texts: list[str], expected: list[tuple[str, int, bool]]) -> None:
    """Behind NAT: with the port listened on, or with the one that NAT has outside."""
    assert shown(candidates(HOME, tuple(map(parse_announced, texts)), 5000, 9000)) == expected


@pytest.mark.parametrize(
    "text", ["", "example.org", "203.0.113.7:0", "203.0.113.7:70000", "203.0.113.7:80/udp", "2001:db8::1:x", "[::1]x"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    """Names are not resolved: which address they have may change, and browsers want addresses."""
    with pytest.raises(ValueError, match=r".*"):
        parse_announced(text)


@given(st.ip_addresses().map(str), st.none() | st.integers(1, 65_535), st.booleans())
def test_an_announced_address_reads_back(address: str, port: int | None, tcp: bool) -> None:
    """Every address and port survives being written, as for the command line of a worker."""
    announced = Announced(address, port, tcp=tcp and port is not None)
    assert parse_announced(announced.text()) == announced


def test_ports_of_further_workers_count_up() -> None:
    """An address alone stays as it is: it stands for the port listened on."""
    assert parse_announced("203.0.113.7:443/tcp").shifted(2).text() == "203.0.113.7:445/tcp"
    assert parse_announced("203.0.113.7").shifted(2).text() == "203.0.113.7"


def test_interfaces_can_be_named() -> None:
    """By name or by address; what this machine does not have is refused by its name."""
    assert "127.0.0.1" in named_addresses(("lo",))
    assert named_addresses(("127.0.0.1", "127.0.0.1")) == ("127.0.0.1",)
    assert "127.0.0.1" in local_addresses()
    with pytest.raises(ValueError, match=r"^203\.0\.113\.7$"):
        named_addresses(("203.0.113.7",))
