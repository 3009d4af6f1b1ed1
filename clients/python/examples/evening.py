# SPDX-License-Identifier: Apache-2.0
"""A care platform prepares an evening: python evening.py https://groups.example.org appt-8731.

The api secret is in the environment, as HOLDSPACE_API_SECRET.
"""

from __future__ import annotations

import asyncio
import os
import sys

from aiohttp import ClientSession

from holdspace_client import Platform, PlatformProblem, api
from holdspace_client.protocol.rooms.phases import PhaseKind
from holdspace_client.protocol.rooms.state import Role

AGENDA = (
    api.PhaseDraft(kind=PhaseKind.CHECK_IN, duration_ms=15 * 60_000, round=api.TurnsDraft()),
    api.PhaseDraft(kind=PhaseKind.BREAKOUTS, title="In threes", duration_ms=20 * 60_000),
    api.PhaseDraft(kind=PhaseKind.CLOSE),
)


async def main(url: str, room: str) -> None:
    """Make the room, and a link for each person."""
    async with ClientSession() as http:
        platform = Platform(http, url, api_key="holdspace", api_secret=os.environ["HOLDSPACE_API_SECRET"])
        try:
            await platform.create_room(
                api.CreateRoom(room=room, agenda=AGENDA, agreement="What is said here stays here.")
            )
        except PlatformProblem as problem:
            if problem.code != "room_exists":
                raise
        for participant, role in {"u-17": Role.MODERATOR, "u-5512": Role.PARTICIPANT}.items():
            link = await platform.link(room, api.CreateLink(role=role, participant=participant, seconds=7200))
            print(participant, link.url)
        print((await platform.room(room)).status)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
