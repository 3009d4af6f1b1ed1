# SPDX-License-Identifier: Apache-2.0
"""Strangers in one room, each with a WebRTC stack."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import NamedTuple

from tests.e2e.serving import Server
from tests.interop.stack import Received, Stack
from tests.interop.stranger import Stranger

ENOUGH = 5
"""Packets of a voice, frames of a picture: it is no accident that they come."""

PATIENCE_S = 40.0


def as_it_is(text: str) -> str:
    """An offer that nobody has touched."""
    return text


class Guest(NamedTuple):
    """Somebody who is in the room, and sends."""

    person: Stranger
    stack: Stack

    async def negotiate(self, *, restart: bool = False, spoil: Callable[[str], str] = as_it_is) -> str:
        """One offer, as `spoil` leaves it, and one answer, which is returned."""
        offer = await self.stack.offer(restart=restart)
        answer = await self.person.offer(spoil(offer))
        await self.stack.answer(answer)
        return answer

    async def gets(self, *wanted: str) -> None:
        """Wait until enough of these kinds has come since now, in any slot."""
        before = now = sums(await self.stack.received())
        until = time.monotonic() + PATIENCE_S
        while any(now[kind] - before[kind] < ENOUGH for kind in wanted):
            assert time.monotonic() < until, (
                f"{before} became {now}: {self.person.paused}, {await self.stack.received()}"
            )
            await asyncio.sleep(0.05)
            now = sums(await self.stack.received())

    async def fills(self, lines: int) -> None:
        """Wait until something has come in so many lines."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                if sum(line.packets > 0 for line in await self.stack.received()) >= lines:
                    return
                await asyncio.sleep(0.05)


def sums(received: list[Received]) -> dict[str, int]:
    """Over all slots: packets of voices, frames of pictures (some stacks count no frames of sound)."""
    return {
        "audio": sum(line.packets for line in received if line.kind == "audio"),
        "video": sum(line.frames for line in received if line.kind == "video"),
    }


class Meeting:
    """One room of this server; what is put on `stack` ends with it."""

    def __init__(self, server: Server, room: str, stack: AsyncExitStack) -> None:
        self._server = server
        self._room = room
        self._invite = ""
        self._stack = stack

    async def person(self, name: str) -> Stranger:
        """Somebody without media."""
        if not self._invite:
            self._invite = str((await self._server.token(self._room, "moderator", "", "--invite"))["token"])
        return await self._stack.enter_async_context(Stranger(self._server.url, self._invite, name))

    async def guest(
        self, name: str, stack: Stack, spoil: Callable[[str], str] = as_it_is, *, camera: bool = True
    ) -> Guest:
        """Somebody who speaks and is seen."""
        guest = Guest(await self.person(name), stack)
        self._stack.push_async_callback(stack.close)
        await guest.negotiate(spoil=spoil)
        await guest.person.do("set_microphone", on=True)
        if camera:
            await guest.person.do("set_camera", on=True)
        return guest
