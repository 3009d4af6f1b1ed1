# SPDX-License-Identifier: Apache-2.0
"""Does once, when a server starts, what rooms will need of Redis: a right that is missing is told then.

A release may need a right more than the one before. A script that is denied in its middle would stop every room, one
message after another, with a Redis that is well to look at.
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from typing import Final

from redis.exceptions import ResponseError

from server.cluster.calls import call, why
from server.cluster.connect import Client, UnsuitableRedis
from server.cluster.keys import PARTITIONS, Keys
from server.cluster.redis_log import RedisLog
from server.ids import RoomId
from server.ports import Entry, LogUnavailable, Seq
from server.rooms.phases import SessionStatus
from server.rooms.state import Agenda, RoomSettings, RoomState

HEARD_S: Final = 5.0
"""How long a subscription may take; on a machine that starts everything at once."""
RIGHTS: Final = "the rights of its user are in docs/redis.md"


async def try_out(client: Client, prefix: str = "hs") -> None:
    """Begin, change, read and erase a room that nobody knows. Raises UnsuitableRedis, with what Redis said."""
    keys, room = Keys(f"{prefix}:trial"), RoomId(secrets.token_hex(8))
    log, partition = RedisLog(client, keys.prefix), keys.partition(room)
    try:
        await log.start()
        await _rehearse(log, room, partition)
    except LogUnavailable as error:
        if isinstance(error.__cause__, ResponseError):  # else it is slow, or away: others see to that
            raise UnsuitableRedis(f"Redis does not do what rooms need ({RIGHTS}): {why(error)}") from error
    except TimeoutError as error:
        raise UnsuitableRedis("Redis delivers no messages; may its user subscribe to channels?") from error
    finally:
        with suppress(LogUnavailable):  # what is left has a TTL
            await call(client, "DEL", *keys.of(room).all())
        await log.close()


async def _rehearse(log: RedisLog, room: RoomId, partition: int) -> None:
    """Raises LogUnavailable, TimeoutError."""
    state = RoomState(id=room, status=SessionStatus.WAITING, settings=RoomSettings(""), agenda=Agenda(0, ()))
    stop = log.subscribe(room, lambda *_: None)
    try:
        async with asyncio.timeout(HEARD_S):
            await log.ready()
        epoch = (await log.create(room, state, wake_ms=0)).epoch
        one = Entry("trial", 0, ())
        await log.append(room, epoch, Seq(0), (one,), state, news=(b"trial",))
        await log.read(room, epoch, Seq(0))
        await log.restore(room, epoch, Seq(1), state)
        await log.positions((room,))
        await log.due(0, 1, (partition, PARTITIONS))
        news = await log.news_stand.news(1, {}, (partition,))
        await log.news_stand.told(news.some)
        await log.forget(room, epoch, over=False)
    finally:
        stop()
