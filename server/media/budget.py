# SPDX-License-Identifier: Apache-2.0
"""How much one participant may send: far above what an honest client does, far below what would hurt others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from server.media.sdp_codecs import MediaKind

NS: Final = 1_000_000_000
BURST_NS: Final = NS
"""What came late may come at once: a phone that was out of reach for a second sends what it kept."""

_OF_SOURCE: Final = {
    # Opus is sent 50 times a second, with redundancy at up to 64 kbit/s, music at twice that.
    MediaKind.AUDIO: (200, 40_000),
    # Three layers of a camera together stay below 2.5 Mbit/s, and an encoder overshoots for a moment.
    MediaKind.VIDEO: (1_500, 1_250_000),
    MediaKind.OTHER: (1, 1),
}
"""Packets and bytes a second, retransmissions and padding included: about four times what is honest."""

_OF_PEER: Final = (5_000, 4_000_000)
"""Datagrams and bytes a second from the address of one peer. They are counted before they are known to be its own,
since that is what costs time: high enough that somebody who forges its address has to flood the link to harm it."""

_OF_REPORTS: Final = (400, 100_000)
"""RTCP datagrams and bytes a second: feedback 20 times, and what a subscriber with heavy loss asks for. One of them can
ask for much, so they are counted apart."""

_OF_CHECKS: Final = (100, 50_000)
"""Binding requests and their bytes a second. One costs as much as ten packets; an agent sends 50 at the most, while it
still looks for a path (RFC 8445 section 14.2)."""

_OF_HANDSHAKE: Final = (100, 100_000)
"""DTLS datagrams and bytes a second: some flights of a dozen datagrams, each sent again a few times."""

_OF_REPEATS: Final = (1_000, NS)
"""Lost packets a second that are looked up and sent again for one subscriber: all that a link of 8 Mbit/s carries.
`Line.resend` bounds their share over all time; so what was not lost in an hour cannot be asked for at once."""


class Budget:
    """Rates of packets and of bytes with a burst of `BURST_NS`: twice the generic cell rate algorithm of ITU-T I.371.

    `refused` counts the packets above them since the start. Times are monotonic nanoseconds.
    """

    __slots__ = ("_byte_ns", "_bytes_until", "_packet_ns", "_packets_until", "refused")

    def __init__(self, packets_per_s: int, bytes_per_s: int) -> None:
        self._packet_ns = NS // packets_per_s
        self._byte_ns = NS // bytes_per_s
        self._packets_until = 0
        self._bytes_until = 0
        self.refused = 0

    def take(self, size_bytes: int, now_ns: int) -> bool:
        """Whether a packet of this size is within both rates; one that is not costs nothing of them."""
        packets, octets = self._packets_until, self._bytes_until
        # Twice for each packet that comes: `max` would cost more than the rest.
        packets = (packets if packets > now_ns else now_ns) + self._packet_ns  # noqa: FURB136
        octets = (octets if octets > now_ns else now_ns) + size_bytes * self._byte_ns  # noqa: FURB136
        latest = now_ns + BURST_NS
        if packets > latest or octets > latest:
            self.refused += 1
            return False
        self._packets_until = packets
        self._bytes_until = octets
        return True


B = TypeVar("B", bound=Budget)


def budget_of_source(kind: MediaKind, make: Callable[[int, int], B]) -> B:
    """For one track, all its layers together."""
    return make(*_OF_SOURCE[kind])


def budget_of_peer(make: Callable[[int, int], B]) -> B:
    """For everything that comes from one peer."""
    return make(*_OF_PEER)


def budget_of_reports() -> Budget:
    """For the RTCP of one peer."""
    return Budget(*_OF_REPORTS)


def budget_of_repeats() -> Budget:
    """For what one peer asks for again; of its bytes nothing is counted."""
    return Budget(*_OF_REPEATS)


def budget_of_checks() -> Budget:
    """For the binding requests of one connection."""
    return Budget(*_OF_CHECKS)


def budget_of_handshake() -> Budget:
    """For the DTLS of one peer."""
    return Budget(*_OF_HANDSHAKE)
