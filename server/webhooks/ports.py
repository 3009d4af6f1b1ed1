# SPDX-License-Identifier: Apache-2.0
"""What the sender of webhooks needs of a log. The news itself comes with `RoomLog.append`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from msgspec import Struct


class Waiting(Struct, frozen=True):
    """News that nobody has taken yet. `id` rises within a partition; the news of one room is in one partition."""

    partition: int
    id: str
    body: bytes


class Notices(Struct, frozen=True):
    """`count`: how much news waits in all. `some`: of each partition the first that was not asked to be left out."""

    count: int
    some: tuple[Waiting, ...]


class NewsStand(Protocol):
    """A log, as whoever carries its news sees it. `partitions`: how many there are; they are numbered from 0."""

    partitions: int
    lost: int
    """How much news gave way to newer, as far as this node has put that there."""

    def on_news(self, callback: Callable[[int], None]) -> None:
        """Tell of the partition whenever this node has put news there."""

    async def news(self, limit: int, after: Mapping[int, str], partitions: Sequence[int]) -> Notices:
        """At most `limit` of these partitions, of each what is behind the id `after`, from its oldest on.

        Partitions that are away are left out. Raises LogUnavailable if all are.
        """

    async def told(self, news: Iterable[Waiting]) -> None:
        """Forget this news; no error if it is gone already. Raises LogUnavailable."""
