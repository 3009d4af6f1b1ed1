# SPDX-License-Identifier: Apache-2.0
"""News in Redis: a stream for each partition, beside the rooms it is of, so that both are written at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final

from server.cluster.codec import UnknownFormat
from server.cluster.keys import PARTITIONS, Keys
from server.cluster.replies import UnknownReply, news_of
from server.cluster.scripts import NEWS, TOLD
from server.ids import RoomId
from server.ports import LogUnavailable
from server.webhooks.ports import Notices, Waiting

KEPT_NEWS: Final = 4096
"""Of each partition; older news gives way to newer."""
NEWS_MS: Final = 24 * 3_600_000
LEAST: Final = 64
"""So much is asked of each server at least."""
MAX_TOLD: Final = 1000
"""Ids in one call; Lua takes no more than some thousand at once."""


class RedisNews:
    """`NewsStand` on the connection of a `RedisLog`: `evaluate` runs a script, `together` groups keys for one call."""

    def __init__(
        self,
        keys: Keys,
        evaluate: Callable[..., Awaitable[object]],
        together: Callable[[Iterable[str]], Iterable[list[str]]],
    ) -> None:
        self.partitions = PARTITIONS
        self.lost = 0
        self._keys = keys
        self._evaluate = evaluate
        self._together = together
        self._tell: Callable[[int], None] | None = None

    def on_news(self, callback: Callable[[int], None]) -> None:
        self._tell = callback

    def put(self, room: RoomId, lost: int) -> None:
        """There is news of this room, for which so much older news had to go."""
        self.lost += lost
        if self._tell is not None:
            self._tell(self._keys.partition(room))

    async def news(self, limit: int, after: Mapping[int, str], partitions: Sequence[int]) -> Notices:
        by_key = {self._keys.news(partition): partition for partition in partitions}
        groups = [[by_key[key] for key in keys] for keys in self._together(by_key)]
        each = min(limit, max(LEAST, limit // max(1, len(groups))))
        answers = await asyncio.gather(*(self._ask(group, each, after) for group in groups), return_exceptions=True)
        well = [answer for answer in answers if not isinstance(answer, BaseException)]
        for answer in answers:
            if isinstance(answer, BaseException) and (not well or not isinstance(answer, LogUnavailable)):
                raise answer
        some = tuple(waiting for answer in well for waiting in answer.some)
        return Notices(sum(answer.count for answer in well), some[:limit])

    async def told(self, news: Iterable[Waiting]) -> None:
        ids: dict[int, list[str]] = {}
        for each in news:
            ids.setdefault(each.partition, []).append(each.id)
        for partition, some in ids.items():
            for start in range(0, len(some), MAX_TOLD):
                await self._evaluate(TOLD, [self._keys.news(partition)], *some[start : start + MAX_TOLD])

    async def _ask(self, partitions: Sequence[int], limit: int, after: Mapping[int, str]) -> Notices:
        """Of partitions that one command may name."""
        behind = [f"({after[each]}" if each in after else "-" for each in partitions]
        try:
            found = news_of(await self._evaluate(NEWS, map(self._keys.news, partitions), limit, *behind))
        except (UnknownFormat, UnknownReply) as error:
            raise LogUnavailable from error
        some = tuple(
            Waiting(partitions[place], name.decode(), body) for place, _, bodies in found for name, body in bodies
        )
        return Notices(sum(count for _, count, _ in found), some)
