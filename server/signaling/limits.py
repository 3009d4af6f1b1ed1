# SPDX-License-Identifier: Apache-2.0
"""How much one connection and one participant may ask for: token buckets with a cost for each command. Pure."""

from __future__ import annotations

from typing import Final, Generic, TypeVar

from msgspec import Struct

from server.rooms import commands as c
from server.signaling.messages import ClientCommand, MediaOffer, Resync

Key = TypeVar("Key")
_FEW: Final = 2


class Rate(Struct, frozen=True):
    """`per_second` tokens come back; at most `burst` are kept."""

    per_second: float
    burst: float


CONNECTION_RATE: Final = Rate(per_second=10, burst=40)
PARTICIPANT_RATE: Final = Rate(per_second=15, burst=60)
"""Over all connections a person has opened one after the other."""
JOIN_RATE: Final = Rate(per_second=1, burst=100)
"""Connections of one participant: each is an entry of the log that everybody in the room is told of."""
OFFER_RATE: Final = Rate(per_second=1 / 12, burst=5)
"""Of one participant, whichever connection they use: new connections and ICE restarts, five in a minute."""
WATCH_RATE: Final = Rate(per_second=4, burst=8)
SIGNAL_RATE: Final = Rate(per_second=5, burst=30)
"""A description and its candidates, a few times over."""
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
        elapsed = now_ms - self._seen_ms
        if elapsed > 0:
            self._level = min(self._rate.burst, self._level + elapsed * self._rate.per_second / 1000)
            self._seen_ms = now_ms
        missing = cost - self._level
        return 0 if missing <= 0 else int(missing * 1000 / self._rate.per_second) + 1

    def take(self, cost: float) -> None:
        """Use what `wait_ms` has allowed."""
        self._level -= cost

    def give_back(self, cost: float) -> None:
        """Undo a `take`."""
        self._level += cost

    def is_full(self, now_ms: int) -> bool:
        """Whether nothing is missing: as good as a new one."""
        return self.wait_ms(self._rate.burst, now_ms) == 0


class Buckets(Generic[Key]):
    """One bucket for each key, to be asked for whenever something is taken.

    Those that are full again are forgotten, so that only the busy ones take room.
    """

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._buckets: dict[Key, TokenBucket] = {}
        self._enough = _FEW

    def of(self, key: Key, now_ms: int) -> TokenBucket:
        """The bucket of this key now; holds on to what was used as long as it matters."""
        bucket = self._buckets.get(key)
        if bucket is None:
            if len(self._buckets) >= self._enough:  # not at each new key: a crowd would be looked through every time
                self._buckets = {known: one for known, one in self._buckets.items() if not one.is_full(now_ms)}
                self._enough = max(_FEW, 2 * len(self._buckets))
            bucket = self._buckets[key] = TokenBucket(self._rate, now_ms)
        return bucket

    def give_back(self, key: Key) -> None:
        """What was paid for could not be done, and will be asked for again."""
        if key in self._buckets:
            self._buckets[key].give_back(1)


def cost_of(command: ClientCommand) -> float:
    """What a command costs."""
    return COSTS.get(type(command), 1.0)
