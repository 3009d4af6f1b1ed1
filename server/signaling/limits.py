# SPDX-License-Identifier: Apache-2.0
"""How much one connection and one participant may ask for: token buckets with a cost for each command."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from server.rooms import commands as c
from server.signaling.messages import ClientCommand, MediaOffer, Resync


class Rate(Struct, frozen=True):
    """`per_second` tokens come back; at most `burst` are kept."""

    per_second: float
    burst: float


CONNECTION_RATE: Final = Rate(per_second=10, burst=40)
PARTICIPANT_RATE: Final = Rate(per_second=15, burst=60)
"""Over all connections a person has opened one after the other."""
OFFER_RATE: Final = Rate(per_second=0.5, burst=3)
MALFORMED_COST: Final = 4.0
STRIKES: Final = 20
"""Refusals for the rate, one after the other without one command let through: the connection is ended."""

COSTS: Final[dict[type[ClientCommand], float]] = {
    MediaOffer: 4.0,
    Resync: 4.0,
    c.SendChat: 2.0,
    c.Broadcast: 4.0,
    c.EditAgenda: 4.0,
    c.DraftPlan: 4.0,
    c.EditPlan: 2.0,
    c.OpenBreakouts: 4.0,
    c.RequestHelp: 4.0,
    c.Rename: 4.0,
}
"""All others cost 1."""


class TokenBucket:
    """Refills with time; times are milliseconds of one monotonic clock."""

    __slots__ = ("_level", "_rate", "_seen_ms")

    def __init__(self, rate: Rate, now_ms: int) -> None:
        self._rate = rate
        self._level = rate.burst
        self._seen_ms = now_ms

    def wait_ms(self, cost: float, now_ms: int) -> int:
        """How long until `cost` can be taken; 0: now. Takes nothing."""
        elapsed = max(0, now_ms - self._seen_ms)
        self._level = min(self._rate.burst, self._level + elapsed * self._rate.per_second / 1000)
        self._seen_ms = max(now_ms, self._seen_ms)
        missing = cost - self._level
        return 0 if missing <= 0 else int(missing * 1000 / self._rate.per_second) + 1

    def take(self, cost: float) -> None:
        """Use what `wait_ms` has allowed."""
        self._level -= cost


def cost_of(command: ClientCommand) -> float:
    """What a command costs."""
    return COSTS.get(type(command), 1.0)
