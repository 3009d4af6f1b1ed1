# SPDX-License-Identifier: Apache-2.0
"""People without a browser: prepared media out, received packets counted per source at their own socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from aiohttp import ClientSession

from holdspace_client import swap_for_ticket
from loadtest.clip import Signatures, prepared
from loadtest.pacer import Pacer
from loadtest.participant import Participant
from loadtest.peer import Peer
from loadtest.sender import Voice
from tests.e2e.person import until
from tests.e2e.serving import Server

SETTLED_S = 0.5
"""After a move, packets that were under way may still come for this long."""
COUNTED_S = 0.5


class Crowd:
    """Prepared people by name; each sends a clip of their own all the time. For servers that let everybody in."""

    def __init__(self, people: dict[str, Participant]) -> None:
        self.people = people
        self._clips = {name: number for number, name in enumerate(people)}

    async def placed(self, rooms: Sequence[Collection[str]]) -> None:
        """Wait until exactly these people of the crowd share a placement."""
        wanted = {frozenset(self.people.keys() & set(room)) for room in rooms} - {frozenset()}

        async def found() -> set[frozenset[str]]:
            places: dict[str | None, set[str]] = {}
            for name, person in self.people.items():
                places.setdefault(person.placement, set()).add(name)
            return {frozenset(names) for names in places.values()}

        await until(found, lambda groups: groups == wanted, f"wanted {sorted(map(sorted, wanted))}")

    async def isolated(self, *rooms: Collection[str]) -> None:
        """From the settling of a move on, packets come from everybody in one's own room and from nobody else.

        Names that are not of the crowd are browsers: what they send is no clip, and counts as None.
        """
        await self.placed(rooms)
        await asyncio.sleep(SETTLED_S)
        for person in self.people.values():
            _peer(person).reception.take()
        await asyncio.sleep(COUNTED_S)
        for room in rooms:
            for name in self.people.keys() & set(room):
                wanted = {self._clips.get(other) for other in set(room) - {name}}
                assert _peer(self.people[name]).reception.clips() == wanted, (name, sorted(room))


def _peer(person: Participant) -> Peer:
    assert person.peer is not None
    return person.peer


@asynccontextmanager
async def crowd(server: Server, room: str, names: Sequence[str], *, slots: int = 6) -> AsyncIterator[Crowd]:
    """These people, joined and on air, until the end of the block."""
    clips = [prepared(number) for number in range(len(names))]
    signatures = Signatures(clips)
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(ClientSession())
        pacer = Pacer()
        stack.callback(pacer.close)
        invite = (await server.token(room, "participant", "", "--invite"))["token"]
        people: dict[str, Participant] = {}
        for name, clip in zip(names, clips, strict=True):
            ticket = await swap_for_ticket(http, server.url, invite)
            person = Participant(http, server.url, ticket.ticket, name=name, agreement=ticket.room.agreement.version)
            stack.push_async_callback(person.close)
            await person.join()
            await person.publish(Peer(clip, pacer, signatures=signatures, slots=slots))
            await person.set_microphone(on=True, voice=Voice.STEADY)
            await person.set_camera(on=True)
            people[name] = person
        yield Crowd(people)
