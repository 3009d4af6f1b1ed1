# SPDX-License-Identifier: Apache-2.0
"""When a packet comes out at the other end of one direction of a link, if it does. Pure: time and chance come in."""

from __future__ import annotations

import random
from typing import Final

from msgspec import Struct

from loadtest.impairment.profile import Bursts, Profile

_MS: Final = 1_000_000
_SECOND: Final = 1_000_000_000


class Counts(Struct):
    """What became of the packets; `octets` (payload of datagrams) are those delivered, duplicates included."""

    offered: int = 0
    delivered: int = 0
    octets: int = 0
    lost: int = 0
    """By chance."""
    overflowed: int = 0
    """At the full queue."""
    held_back: int = 0
    duplicated: int = 0
    longest_wait_ms: float = 0.0
    """In the queue."""
    waited_ms: float = 0.0
    """In the queue, all packets that got into it together."""


class Transit:
    """One direction. The same seed and the same packets at the same times meet the same fate.

    Each packet takes the same number of draws whatever the profile says: with another delay the same packets are lost.
    What is under way when the profile changes keeps its time of arrival.
    """

    def __init__(self, profile: Profile, chance: random.Random) -> None:
        self.profile = profile
        self.counts = Counts()
        self._draw = chance.random
        self._bad = False
        self._free_ns = 0
        """When all that is queued will have been sent."""
        self._last_ns = 0
        """The latest arrival so far: nothing passes it unless it was held back."""

    def arrivals(self, size: int, now_ns: int) -> tuple[int, ...]:
        """Times (ns) at which this datagram of `size` bytes, sent now, arrives: none, one, or two."""
        profile, counts = self.profile, self.counts
        counts.offered += 1
        lost, spread = self._is_lost(profile), self._draw()
        held, twice = self._draw() < profile.reorder, self._draw() < profile.duplicate
        sent_ns = self._sent(size, now_ns)
        if sent_ns is None:
            counts.overflowed += 1
            return ()
        if lost:
            counts.lost += 1
            return ()
        arrives_ns = sent_ns + round((profile.delay_ms + spread * profile.jitter_ms) * _MS)
        self._last_ns = arrives_ns = max(arrives_ns, self._last_ns)
        if held:
            counts.held_back += 1
            arrives_ns += round(profile.reorder_ms * _MS)
        counts.duplicated += twice
        counts.delivered += 1 + twice
        counts.octets += size * (1 + twice)
        return (arrives_ns, arrives_ns) if twice else (arrives_ns,)

    def _is_lost(self, profile: Profile) -> bool:
        by_chance, change, in_burst = self._draw(), self._draw(), self._draw()
        bursts = profile.bursts or _NO_BURSTS
        self._bad = change >= bursts.leave if self._bad else change < bursts.enter
        return by_chance < profile.loss or (self._bad and in_burst < bursts.loss)

    def _sent(self, size: int, now_ns: int) -> int | None:
        """When its last bit has left the queue; None: it found the queue full."""
        rate = self.profile.rate_bps
        if rate <= 0:
            return now_ns
        wait_ns = max(0, self._free_ns - now_ns)
        if wait_ns > self.profile.queue_ms * _MS:
            return None
        self.counts.longest_wait_ms = max(self.counts.longest_wait_ms, wait_ns / _MS)
        self.counts.waited_ms += wait_ns / _MS
        self._free_ns = now_ns + wait_ns + (size + self.profile.overhead_bytes) * 8 * _SECOND // rate
        return self._free_ns


_NO_BURSTS: Final = Bursts(enter=0.0, leave=1.0)
