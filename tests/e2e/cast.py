# SPDX-License-Identifier: Apache-2.0
"""The people of one journey, and what all of them together must see and hear."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine, Mapping
from typing import Any, Final, Protocol

from tests.e2e.person import Person

MODERATOR: Final = "Moderator"


def _but_the_path(identities: dict[str, dict[str, Any]], name: str) -> dict[str, dict[str, Any]]:
    own = {key: value for key, value in identities[name].items() if key != "negotiationNeeded"}
    own["dtls"] = {key: value for key, value in own["dtls"].items() if key != "changes"}
    return identities | {name: own}


class GivesLinks(Protocol):
    """A server, or several that are one system."""

    async def token(self, room: str, role: str, name: str) -> Mapping[str, Any]:
        """Under `url`: this person's link."""


class Cast:
    """Everybody by name, with the link that each of them was given."""

    def __init__(self, server: GivesLinks, room: str) -> None:
        self.server = server
        self.room = room
        self.people: dict[str, Person] = {}
        self.links: dict[str, str] = {}
        self._identities: dict[str, dict[str, Any]] = {}
        self._offline: set[str] = set()

    @property
    def moderator(self) -> Person:
        """The one who guides."""
        return self.people[MODERATOR]

    def __getitem__(self, name: str) -> Person:
        return self.people[name]

    async def add(self, *people: Person) -> None:
        """Give everybody a link of their own, and open it."""
        await asyncio.gather(*(self._open(person) for person in people))
        self.people |= {person.name: person for person in people}

    async def _open(self, person: Person) -> None:
        role = "moderator" if person.name == MODERATOR else "participant"
        token = await self.server.token(self.room, role, person.name)
        self.links[person.name] = token["url"]
        await person.open(token["url"])

    async def apart(self, *rooms: Collection[str]) -> None:
        """Each sees and hears everybody in their own room, and nobody else."""
        checks = [self._shares(name, set(room) - {name}) for room in rooms for name in room]
        await asyncio.gather(*checks)

    async def hears(self, wanted: dict[str, set[str]]) -> None:
        """Each of these people hears exactly those."""
        await asyncio.gather(*(self[name].hears_exactly(voices) for name, voices in wanted.items()))

    async def each(self, names: Collection[str], step: str) -> None:
        """All of them press the same, at the same time."""
        await asyncio.gather(*(self[name].press(step) for name in names))

    async def remember(self) -> None:
        """From here on nobody's connection, devices or buttons may change."""
        self._identities = await self._snapshot()
        assert all(state["negotiationNeeded"] == 0 for state in self._identities.values())

    def was_offline(self, name: str) -> None:
        """Whoever comes back on the network restarts ICE: the same connection, over a path that is found anew."""
        self._offline.add(name)

    async def unchanged(self) -> None:
        """Same RTCPeerConnection, same DTLS session, no negotiation, no device request, same buttons."""
        before, now = self._identities, await self._snapshot()
        for name in self._offline:
            before, now = _but_the_path(before, name), _but_the_path(now, name)
        assert {name: (before[name], now[name]) for name in now if now[name] != before[name]} == {}

    async def no_errors(self) -> None:
        """No page has thrown."""
        assert {name: person.errors for name, person in self.people.items() if person.errors} == {}

    async def _shares(self, name: str, others: set[str]) -> None:
        await self[name].sees_exactly(others)
        await self[name].hears_exactly(others)

    async def _snapshot(self) -> dict[str, dict[str, Any]]:
        async def of(person: Person) -> dict[str, Any]:
            return {**await person.media_identity(), "buttons": await person.device_states()}

        taken: list[Coroutine[Any, Any, dict[str, Any]]] = [of(person) for person in self.people.values()]
        return dict(zip(self.people, await asyncio.gather(*taken), strict=True))
