# SPDX-License-Identifier: Apache-2.0
"""Follow a room for a while: python watch_room.py 'https://groups.example.org/#TOKEN'."""

from __future__ import annotations

import asyncio
import sys

from aiohttp import ClientSession

from holdspace_client import Session, open_link
from holdspace_client import commands as c


async def main(link: str) -> None:
    """Join, say hello, and tell what happens until the session is over."""
    async with ClientSession() as http:
        invitation = await open_link(http, link)
        # Show `invitation.room.agreement.text` to the person, and pass its version on only if they accept it.
        session = invitation.session(http, name="Watcher", agreement=invitation.room.agreement.version)
        session.on_events = lambda events: print(*(type(event).__name__ for event in events))
        await session.join()
        print(len(session.view.participants), "people in", session.view.settings.title)
        keeping = asyncio.create_task(session.keep())
        await greet(session)
        print("over:", await keeping)


async def greet(session: Session) -> None:
    """Once let in from the lobby. The message is said once, however often the connection breaks meanwhile."""
    await session.until(lambda _: session.placement not in {None, "lobby"}, None)
    await session.ensure(c.SendChat("Hello, I take notes of who was here."))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
