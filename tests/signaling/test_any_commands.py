# SPDX-License-Identifier: Apache-2.0
"""Thousands of random commands through the real server: each is answered, nothing is a fault, all views stay right."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from typing import Any

import pytest
from structlog.testing import capture_logs

from server.errors import RejectCode
from server.rooms.state import Role
from server.signaling.gateway import Gateway
from server.signaling.link import Link
from server.signaling.messages import Ok
from tests.signaling.any_command import Talker
from tests.signaling.clients import Person, Refused, Venue, fresh_room

pytestmark = pytest.mark.asyncio(loop_scope="session")

MOD, LEAD, PART = Role.MODERATOR, Role.LEADER, Role.PARTICIPANT
ROLES = {"mod": MOD, "max": MOD, "lea": LEAD, "ann": PART, "ben": PART}
AT_ONCE = 10


class Crowd:
    """People who say anything at all, and come again when they are sent away."""

    def __init__(self, venue: Venue, seed: int) -> None:
        self.venue = venue
        self.people: dict[str, Person] = {}
        self.answers: Counter[str] = Counter()
        places = ["main", "lobby", "b1", "b2", "b3", "nowhere"]
        self.names: dict[str, list[Any]] = {
            "ParticipantId": [*ROLES, *ROLES, "nobody", ""],
            "Placement": places,
            "BreakoutId": places,
            "PhaseId": ["check-in", "p1", ""],
            "version": [0, 1, 2, 3],
        }
        self.talker = Talker(seed, self.names)

    async def come(self) -> None:
        """Everybody is in the room; in another one if this one is over."""
        for name, role in ROLES.items():
            person = self.people.get(name)
            if person is None or person.gone:
                self.people[name] = await self._seat(name, role)

    async def talk(self) -> None:
        """A few commands of somebody at once, all of which are answered, unless that ended their connection."""
        name = self.talker.chance.choice(list(self.people))
        agenda = self.venue.state.agenda
        self.names["PhaseId"][:1] = [phase.id for phase in agenda.phases[:3]]
        plan = self.venue.state.breakouts.plan
        self.names["version"] = [agenda.version, 0 if plan is None else plan.version, 0]
        await asyncio.gather(*(self._say(self.people[name]) for _ in range(AT_ONCE)))

    async def _say(self, person: Person) -> None:
        frame = {"id": f"{self.talker.chance.randrange(10_000)}", "command": self.talker.command()}
        answered = asyncio.ensure_future(person.raw(frame))
        gone = asyncio.ensure_future(person.until(lambda: person.gone))
        await asyncio.wait([answered, gone], return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        if person.gone:
            answered.cancel()
            return
        answer = answered.result()
        self.answers["ok" if isinstance(answer, Ok) else answer.reason] += 1
        if not isinstance(answer, Ok) and answer.code == RejectCode.BAD_MESSAGE:
            assert answer.detail

    async def _seat(self, name: str, role: Role) -> Person:
        for _ in range(2):
            try:
                return await self.venue.join(name, role)
            except Refused:  # removed for good, or the session is over
                self.venue.room = fresh_room()
                self.people.clear()
        raise AssertionError(name)

    async def agree(self) -> None:
        """Everybody sees what the server would show them."""
        for person in self.people.values():
            if not person.gone and person.room == self.venue.room:
                await person.caught_up(self.venue.runner)


async def _run(venue: Venue, monkeypatch: pytest.MonkeyPatch, seed: int, turns: int) -> Counter[str]:
    monkeypatch.setattr(Gateway, "_charge", lambda *_: None)
    monkeypatch.setattr(Gateway, "_charge_join", lambda *_: None)
    crowd = Crowd(venue, seed)
    with capture_logs() as told:
        for turn in range(turns):
            await crowd.come()
            await crowd.talk()
            if turn % 10 == 9:
                await crowd.agree()
    assert [line for line in told if line["log_level"] in ("error", "warning")] == []
    return crowd.answers


async def test_anything_is_answered(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Well-formed, damaged, out of place: an answer with a number, and mirrors that agree with the server."""
    answers = await _run(venue, monkeypatch, 1, 60)
    assert answers.total() > 500
    assert {"ok", "bad_message", "not_allowed", "not_here", "not_now"} <= set(answers)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_tens_of_thousands(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for long; when all have gone, no connection is left in memory."""
    gc.collect()
    sockets = sum(isinstance(each, Link) for each in gc.get_objects())
    for seed in range(2, 12):
        room = Venue(venue.server)
        answers = await _run(room, monkeypatch, seed, 300)
        await room.close()
        assert answers.total() > 2_000
    await asyncio.sleep(0.1)
    gc.collect()
    assert sum(isinstance(each, Link) for each in gc.get_objects()) <= sockets
