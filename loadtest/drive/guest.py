# SPDX-License-Identifier: Apache-2.0
"""One visit of one person to a room: comes when due, stays, comes back after every loss, leaves; timed all along."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from functools import partial
from typing import Final, Protocol

from aiohttp import ClientError

from holdspace_client import CommandRefused, NotAcknowledged, ProtocolBroken, swap_for_ticket
from holdspace_client.protocol.errors import JoinRefused, RejectCode, is_final
from holdspace_client.protocol.ids import LOBBY, Placement
from holdspace_client.protocol.rooms import commands as c
from holdspace_client.protocol.rooms.events import Event
from holdspace_client.protocol.rooms.state import Reaction
from holdspace_client.protocol.signaling.messages import ClientCommand, Reject
from loadtest.behaviour import Behaviour
from loadtest.drive.media import Media
from loadtest.drive.orders import Seat
from loadtest.drive.person import LoadPerson, fresh_http
from loadtest.drive.place import Place
from loadtest.dtls import HandshakeFailed
from loadtest.measure.senses import Company
from loadtest.plan.scenario import Family, Habit

GIVE_UP_S: Final = 60.0
TICK_S: Final = 0.25
LONG_S: Final = 24 * 3600.0
PROBE: Final = c.React(Reaction.AGREE)
TROUBLE: Final = (ConnectionError, TimeoutError, NotAcknowledged, CommandRefused, HandshakeFailed, ClientError, OSError)


class Lost(Exception):
    """Somebody could not come back; that is counted already."""


class Room(Protocol):
    """What a guest needs of the room they sit in."""

    def moved(self, guest: Guest, before: Placement | None, after: Placement | None) -> None:
        """This guest is somewhere else now."""

    def told(self, guest: Guest, events: tuple[Event, ...]) -> None:
        """This guest has heard of these."""

    def company(self, guest: Guest) -> Company:
        """Who is with them and has something on."""


class Guest:
    """`person` is there from `arrive` on."""

    def __init__(self, place: Place, family: Family, seat: Seat, room: Room) -> None:
        self.seat = seat
        self._place = place
        self._family = family
        self._recorder = place.recorder
        self._room = room
        self._leaving = False
        self._present = False
        self._mind = Behaviour(seat.number, random.Random(seat.number))
        self._chance = random.Random(f"{seat.number} back")
        self.person: LoadPerson | None = None
        self.media: Media | None = None

    @property
    def here(self) -> bool:
        """In the room, and connected."""
        person = self.person
        return person is not None and person.connected and person.placement not in (None, LOBBY)

    @property
    def on_air(self) -> bool:
        """Heard and seen."""
        me = self.person.me if self.person is not None else None
        return me is not None and me.microphone and me.camera

    async def visit(self, due_s: float, until_s: float) -> None:
        """From when they were due until it is time to go; whatever goes wrong is counted by its cause."""
        self._recorder.count("starts")
        try:
            await self.arrive(due_s)
        except (*TROUBLE, JoinRefused, ProtocolBroken) as error:
            self._recorder.fail(f"join: {cause_of(error)}")
            await self.leave()
            return
        both = [asyncio.create_task(self.stay()), asyncio.create_task(self._place.until(until_s))]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        await self.leave()
        for task in both:
            task.cancel()
        await asyncio.gather(*both, return_exceptions=True)

    async def arrive(self, due_s: float) -> None:
        """Open the link, take the seat, connect media. Raises what can go wrong on the way."""
        seat = self.seat
        async with fresh_http() as http:
            ticket = await swap_for_ticket(http, seat.url, seat.token)
        name = f"Moderator {seat.number}" if seat.moderates else f"Guest {seat.number}"
        person = LoadPerson(seat.url, ticket.ticket, name=name, agreement=ticket.room.agreement.version)
        self.person = person
        person.on_moved = partial(self._room.moved, self)
        person.on_events = partial(self._room.told, self)
        await person.join()
        await person.until(lambda _: person.placement not in (None, LOBBY))
        self._recorder.record("join_ms", 1_000 * (self._place.now_s() - due_s))
        self._present = True
        self._recorder.present += 1
        if self._family.media:
            self.media = Media(self._place, self._family, seat, person, partial(self._room.company, self))
            await self.media.connect(due_s)

    async def stay(self) -> None:
        """Come back after every loss, do what one does, until cancelled or sent away."""
        tasks = [asyncio.create_task(self._keep_connection()), asyncio.create_task(self._live())]
        if self.media is not None:
            tasks.append(asyncio.create_task(self.media.stay()))
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except (ProtocolBroken, JoinRefused) as error:
            self._recorder.fail(cause_of(error))
        except Lost:
            pass
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def leave(self) -> None:
        """Give up the seat, or what there is of it."""
        person, self._leaving = self.person, True
        if person is None:
            return
        if self.media is not None:
            self.media.end()
        if self._present:
            self._recorder.present -= 1
        with suppress(*TROUBLE):
            async with asyncio.timeout(5):
                await person.leave()
        with suppress(*TROUBLE):
            await person.close()

    async def probe(self, due_s: float) -> None:
        """A command whose answer is timed from when it was due, however late it was sent."""
        if await self.send(PROBE):
            self._recorder.record("signal_ms", 1_000 * (self._place.now_s() - due_s))

    async def send(self, command: ClientCommand, *, must: bool = True) -> bool:
        """Send a command; False: no answer, or refused. `must`: then it is an error."""
        person = self.person
        if person is None or not person.connected:
            return False
        what = type(command).__name__
        try:
            answer = await person.send(command)
        except (NotAcknowledged, RuntimeError):
            if must and person.connected:
                self._recorder.fail(f"{what}: not acknowledged")
            return False
        self._recorder.count("commands")
        if isinstance(answer, Reject):
            # During a fault a room may be read-only for a moment, and says so.
            if must and not (answer.code is RejectCode.BUSY and self._place.recent_fault_s()):
                self._recorder.fail(f"{what}: {answer.reason}")
            return False
        return True

    # -- staying -------------------------------------------------------------------------------------------------------

    async def _keep_connection(self) -> None:
        person = self._there()
        while True:
            goodbye = await person.until_disconnected(LONG_S)
            if self._leaving:
                return
            if goodbye is not None and is_final(goodbye):
                raise JoinRefused(goodbye)
            await self._come_back(person)

    async def _come_back(self, person: LoadPerson) -> None:
        since_s = self._place.recent_fault_s() or self._place.now_s()
        try:
            await person.come_back(give_up_s=GIVE_UP_S, chance=self._chance.random)
        except ConnectionError:
            self._recorder.fail("resume: did not come back in a minute")
            raise Lost from None
        self._recorder.record("resume_ms", 1_000 * (self._place.now_s() - since_s))

    async def _live(self) -> None:
        """Habits. `gentle` people act a few times a second, the others have nothing more to do."""
        person = self._there()
        if self._family.habit is not Habit.GENTLE or self.seat.moderates:
            await asyncio.sleep(LONG_S)
        while True:
            person.check()
            if self.here:
                wish = self._mind.next(person.view, person.id, self._place.now_s())
                for command in wish.commands:
                    # Whatever is refused was meant for a moment that has passed.
                    await self.send(command, must=False)
                if self.media is not None:
                    self.media.perform(speaking=wish.speaking)
            await asyncio.sleep(TICK_S)

    def _there(self) -> LoadPerson:
        if self.person is None:
            raise RuntimeError("has not arrived")
        return self.person


def cause_of(error: BaseException) -> str:
    """In words that are the same for the same cause."""
    match error:
        case JoinRefused():
            return f"refused by the server: {error.code.name.lower()}"
        case CommandRefused():
            return f"command refused: {error.code.name.lower()}"
        case ProtocolBroken():
            return f"protocol broken: {type(error.__cause__).__name__}"
        case TimeoutError():
            return "timeout"
        case ConnectionError() | ClientError():
            return "no connection"
        case _:
            return type(error).__name__
