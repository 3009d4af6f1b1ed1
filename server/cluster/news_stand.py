# SPDX-License-Identifier: Apache-2.0
"""News in Redis: a stream for each partition, beside the rooms it is of, so that both are written at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
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

    async def news(self, limit: int, after: Mapping[int, str], share: tuple[int, int] = (0, 1)) -> Notices:
        part, parts = share
        by_key = {self._keys.news(partition): partition for partition in range(part, PARTITIONS, parts)}
        count, waiting = 0, list[Waiting]()
        for keys in self._together(by_key):
            partitions = [by_key[key] for key in keys]
            behind = [f"({after[each]}" if each in after else "-" for each in partitions]
            for place, there, some in await self._ask(keys, max(0, limit - len(waiting)), behind):
                count += there
                waiting += [Waiting(partitions[place], name.decode(), body) for name, body in some]
        return Notices(count, tuple(waiting))

    async def told(self, news: Iterable[Waiting]) -> None:
        ids: dict[int, list[str]] = {}
        for each in news:
            ids.setdefault(each.partition, []).append(each.id)
        for partition, some in ids.items():
            for start in range(0, len(some), MAX_TOLD):
                await self._evaluate(TOLD, [self._keys.news(partition)], *some[start : start + MAX_TOLD])

    async def _ask(
        self, keys: list[str], limit: int, behind: list[str]
    ) -> list[tuple[int, int, list[tuple[bytes, bytes]]]]:
        try:
            return news_of(await self._evaluate(NEWS, keys, limit, *behind))
        except (UnknownFormat, UnknownReply) as error:
            raise LogUnavailable from error
