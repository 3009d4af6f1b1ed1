# SPDX-License-Identifier: Apache-2.0
"""The largest number of rooms that a server carries: short trials upwards, then a long one to confirm."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from msgspec import Struct

from bench.media.contest import ROOM_PACKETS_PER_S
from bench.media.row import Doubt, Row

Measure = Callable[[int, float], Awaitable[Row]]
"""Rooms and seconds to a row."""

EQUAL_ROOMS: Final = 3
"""The load at which costs are compared: every server carries it, and batching has the same chance."""

LATENCY_SHARE: Final = 0.6
_CAUTION: Final = 0.7
"""A core fills up later than the cost at a low load foretells, since batches grow; trials begin well below that."""

MAX_ROOMS: Final = 32


class Pace(Struct, frozen=True):
    """How long rows take, and how often one is repeated that other load disturbed."""

    seconds: float = 30.0
    trial_seconds: float = 5.0
    repeats: int = 1


class Search(Struct, frozen=True):
    """What was found. `largest` is None when not even one room was carried."""

    equal: Row
    again: Row | None
    """The equal load once more, after everybody else had their turn."""
    largest: Row | None
    at_share: Row | None
    """At `LATENCY_SHARE` of the largest load."""
    rows: tuple[Row, ...]
    """Everything that was measured, in order."""

    @property
    def us_per_packet(self) -> float:
        """At the equal load: of the rows that nothing speaks against, if there is one."""
        rows = [row for row in (self.equal, self.again) if row is not None]
        costs = [row.us_per_packet for row in [row for row in rows if not row.doubts] or rows]
        return round(sum(costs) / len(costs), 3)


class Searcher:
    """One server's search; `say` gets every row as soon as it is there."""

    def __init__(self, measure: Measure, pace: Pace, say: Callable[[Row], None]) -> None:
        self._measure = measure
        self._pace = pace
        self._say = say
        self._rows: list[Row] = []

    async def search(self) -> Search:
        """The row of equal load, the largest load, and the one at a share of it."""
        equal = await self.equal()
        largest = await self._confirm(await self._climb(first_trial(equal)))
        at_share = None
        if largest is not None:
            at_share = await self._settled(max(1, round(largest.rooms * LATENCY_SHARE)), self._pace.seconds / 2)
        return Search(equal=equal, again=None, largest=largest, at_share=at_share, rows=tuple(self._rows))

    async def equal(self) -> Row:
        """The row of equal load."""
        return await self._settled(EQUAL_ROOMS, self._pace.seconds / 3)

    async def rows_of(self, counts: tuple[int, ...]) -> tuple[Row, ...]:
        """Just these rooms, no search."""
        for rooms in counts:
            await self._settled(rooms, self._pace.seconds)
        return tuple(self._rows)

    async def _climb(self, rooms: int) -> int:
        """The last load of a series that was carried in a short trial; goes down first if it has to."""
        while rooms > 0 and not await self._carries(rooms):
            rooms -= 1
        while 0 < rooms < MAX_ROOMS and await self._carries(rooms + 1):
            rooms += 1
        return rooms

    async def _confirm(self, rooms: int) -> Row | None:
        """The largest load at or below this that is carried for the full time."""
        while rooms > 0:
            row = await self._settled(rooms, self._pace.seconds)
            if row.carried:
                return row
            rooms -= 1
        return None

    async def _carries(self, rooms: int) -> bool:
        """Two of three: a failed trial is given another chance, since a burst of anything else fails it, too."""
        if (await self._row(rooms, self._pace.trial_seconds)).carried:
            return True
        return (await self._row(rooms, self._pace.trial_seconds)).carried

    async def _settled(self, rooms: int, seconds: float) -> Row:
        """The first undisturbed row, or else the one with the least other load."""
        tries = [await self._row(rooms, seconds)]
        while Doubt.DISTURBED in tries[-1].doubts and len(tries) <= self._pace.repeats:
            tries.append(await self._row(rooms, seconds))
        return min(tries, key=lambda row: row.foreign)

    async def _row(self, rooms: int, seconds: float) -> Row:
        row = await self._measure(rooms, seconds)
        self._rows.append(row)
        self._say(row)
        return row


def first_trial(equal: Row) -> int:
    """Where to begin, from what a packet cost at the equal load."""
    capacity = 1e6 / equal.us_per_packet / ROOM_PACKETS_PER_S if equal.received else 1
    return max(1, min(MAX_ROOMS, round(_CAUTION * capacity)))
