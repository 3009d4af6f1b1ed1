# SPDX-License-Identifier: Apache-2.0
"""One room under load: a moderator who keeps to the script, and the guests of every seat."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from itertools import chain
from typing import Final

from holdspace_client.protocol.ids import LOBBY, MAIN, ParticipantId, Placement
from holdspace_client.protocol.rooms import commands as c
from holdspace_client.protocol.rooms.events import Event, Reacted
from holdspace_client.protocol.rooms.state import AssignmentStrategy
from loadtest.drive.guest import PROBE, Guest
from loadtest.drive.orders import RoomJob, Seat
from loadtest.drive.place import Place
from loadtest.measure.move import Moving
from loadtest.measure.senses import Company, MoveSenses
from loadtest.plan.executors import Visit
from loadtest.plan.scenario import Do, Step
from loadtest.plan.timeline import Happening

MODERATOR: Final = -1
DRAFT_S: Final = 1.0
"""So long before a split its plan is drafted: it is the press that is timed."""
SETTLED_S: Final = 3.0
"""After a press all that belongs to it has been seen and heard, or will not be."""

Mark = Callable[[float, str], None]


class LoadRoom:
    """`open` first, then `run` once."""

    def __init__(self, place: Place, job: RoomJob, happenings: tuple[Happening, ...], mark: Mark) -> None:
        self._place = place
        self._job = job
        self._happenings = happenings
        self._mark = mark
        self._recorder = place.recorder
        self._chance = random.Random(f"room {job.number}")
        self._guests: dict[int, Guest] = {}
        self._clips: dict[ParticipantId, int] = {}
        self._probes: dict[ParticipantId, float] = {}
        self._moving: Moving | None = None
        self._senses: dict[int, MoveSenses] = {}
        self._on_air: Company = frozenset()
        """Who had microphone and camera on at the last press: nobody else can be expected to be heard after it."""
        family = job.family
        seat = Seat(job.number, family.speakers, job.urls[0], job.moderator, speaks=family.media, moderates=True)
        self._moderator = Guest(place, family, seat, self)

    async def open(self) -> None:
        """Bring the moderator in, and let everybody else in without a lobby. Raises what can go wrong."""
        await self._moderator.arrive(self._place.now_s())
        self._remember(self._moderator)
        person = self._moderator.person
        if person is not None and not person.view.settings.auto_admit:
            await person.do(c.SetAutoAdmit(auto_admit=True))

    async def run(self, until_s: float) -> None:
        """Everybody's visits and every step, until this time of the clock."""
        staying = asyncio.create_task(self._moderator.stay())
        async with asyncio.TaskGroup() as group:
            for seat in {visit.seat for visit in self._job.visits}:
                group.create_task(self._seat(seat, [visit for visit in self._job.visits if visit.seat == seat]))
            for happening in self._happenings:
                group.create_task(self._step(happening))
            group.create_task(self._probe(until_s))
        await self._moderator.leave()
        staying.cancel()
        await asyncio.gather(staying, return_exceptions=True)

    # -- guests --------------------------------------------------------------------------------------------------------

    async def _seat(self, number: int, visits: list[Visit]) -> None:
        job = self._job
        for visit in visits:
            due_s = self._place.start_s + visit.at_s
            if self._place.now_s() - due_s > 1.0:
                # The one before has not left yet, or this process is behind: an open load does not wait.
                self._recorder.count("dropped_starts")
                continue
            if not await self._place.until(due_s):
                return
            seat = Seat(
                number,
                number % max(1, job.family.speakers),
                job.urls[number % len(job.urls)],
                job.invite,
                speaks=number < job.family.speakers,
                far=number in job.far,
            )
            guest = self._guests[number] = Guest(self._place, job.family, seat, self)
            await guest.visit(due_s, self._place.start_s + visit.until_s)
            del self._guests[number]

    def moved(self, guest: Guest, before: Placement | None, after: Placement | None) -> None:
        """A guest is somewhere else now."""
        self._remember(guest)
        moving = self._moving
        if moving is None or before in (None, LOBBY):
            return
        if (after == MAIN) == (moving.do is Do.MERGE):
            moving.arrived(guest.seat.number, self._place.now_s())

    def told(self, guest: Guest, events: tuple[Event, ...]) -> None:
        """A guest has heard of these; a probe's event is timed."""
        self._recorder.count("events", len(events))
        for event in events:
            if not isinstance(event, Reacted) or event.reaction is not PROBE.reaction or guest.person is None:
                continue
            if event.participant != guest.person.id:
                due_s = self._probes.get(event.participant)
                if due_s is not None:
                    self._recorder.record("fanout_ms", 1_000 * (self._place.now_s() - due_s))

    def company(self, guest: Guest) -> Company:
        """Clips of those who are with this guest and have a microphone and a camera on."""
        person = guest.person
        if person is None or person.me is None:
            return frozenset()
        return frozenset(
            self._clips[other.id]
            for other in person.view.participants.values()
            if other.placement == person.placement
            and other.id != person.id
            and other.microphone
            and other.camera
            and other.id in self._clips
        )

    def _remember(self, guest: Guest) -> None:
        if guest.person is not None:
            self._clips[guest.person.id] = guest.seat.clip

    # -- the script ----------------------------------------------------------------------------------------------------

    async def _step(self, happening: Happening) -> None:
        due_s, step = self._place.start_s + happening.at_s, happening.step
        lead_s = DRAFT_S if step.do is Do.SPLIT else 0.0
        if not await self._place.until(due_s - lead_s):
            return
        match step.do:
            case Do.SPLIT:
                await self._split(step, due_s)
            case Do.MERGE:
                await self._move(step, due_s, c.CloseBreakouts())
            case Do.DROP | Do.DROP_ALL:
                await self._drop(step, due_s)
            case Do.NEXT_PHASE:
                if await self._moderator.send(c.NextPhase(), must=False):
                    self._mark(due_s, "next phase")
            case Do.END:
                await self._moderator.send(c.EndSession())
            case _:
                pass  # what nodes suffer is not done by a room

    async def _split(self, step: Step, due_s: float) -> None:
        here = sum(guest.here for guest in self._guests.values())
        person = self._moderator.person
        if person is None:
            return
        before = person.view.breakouts.plan
        if not await self._moderator.send(c.DraftPlan(AssignmentStrategy.RANDOM, step.breakouts(here), duration_ms=0)):
            return
        # The answer may overtake the event.
        view = await person.until(lambda view: view.breakouts.plan not in (None, before))
        plan = view.breakouts.plan
        if await self._place.until(due_s) and plan is not None:
            await self._move(step, due_s, c.OpenBreakouts(plan.version, allow_alone=True))

    async def _move(self, step: Step, due_s: float, press: c.OpenBreakouts | c.CloseBreakouts) -> None:
        movers = [
            guest
            for guest in self._guests.values()
            if guest.here and guest.person is not None and (guest.person.placement == MAIN) == (step.do is Do.SPLIT)
        ]
        if not movers:
            return
        self._settle()
        moving = self._moving = Moving(step.do, due_s, [guest.seat.number for guest in movers], self._recorder)
        self._on_air = frozenset(guest.seat.clip for guest in self._guests.values() if guest.on_air)
        for guest in movers:
            if guest.media is not None and (senses := guest.media.watch_move(due_s)) is not None:
                self._senses[guest.seat.number] = senses
        self._mark(due_s, step.do.value)
        if not await self._moderator.send(press):
            self._moving, self._senses = None, {}
            return
        await asyncio.sleep(SETTLED_S)
        if self._moving is moving:
            self._settle()

    def _settle(self) -> None:
        """Note what the last move was like for everybody, and stop watching."""
        moving, senses = self._moving, self._senses
        self._moving, self._senses = None, {}
        if moving is None:
            return
        for number, guest in self._guests.items():
            if not guest.here:
                moving.excuse(number)
        moving.close()
        spoken = {guest.seat.clip: guest.media.spoken for guest in self._guests.values() if guest.media is not None}
        now_s = self._place.now_s()
        for number, watched in senses.items():
            sitting = self._guests.get(number)
            if sitting is None or not sitting.here or sitting.media is None or not sitting.media.watched_by(watched):
                continue
            company = self.company(sitting)
            after = company & self._on_air
            watched.landed(after, chain.from_iterable(spoken.get(clip, ()) for clip in after), now_s)
            self._note(watched, crowded=len(company) > self._job.family.slots)

    def _note(self, senses: MoveSenses, *, crowded: bool) -> None:
        """In a room with more people than slots it is the server's choice whom one sees, and when."""
        sensed = senses.sensed()
        if sensed is None:
            return
        if sensed.silence_s is not None:
            self._recorder.record("audio_gap_ms", 1_000 * sensed.silence_s)
        if crowded:
            return
        for metric, value in (("move_voice_ms", sensed.new_voice_s), ("move_frame_ms", sensed.new_picture_s)):
            if value is not None:
                self._recorder.record(metric, 1_000 * value)

    async def _drop(self, step: Step, due_s: float) -> None:
        guests = [guest for guest in self._guests.values() if guest.here]
        chosen = self._chance.sample(guests, round(len(guests) * step.share))
        self._place.fault_s = due_s
        self._recorder.count("faults", len(chosen))
        self._mark(due_s, step.do.value)
        for guest in chosen:
            if guest.person is not None:
                if step.do is Do.DROP_ALL:
                    guest.person.drop_media()
                await guest.person.cut()

    async def _probe(self, until_s: float) -> None:
        """Commands at even times; none waits for the one before."""
        rate = self._job.family.probes_per_s
        if not rate:
            return
        running: set[asyncio.Task[None]] = set()
        due_s = self._place.start_s + self._chance.random() / rate
        while due_s < until_s and await self._place.until(due_s):
            here = [guest for guest in self._guests.values() if guest.here]
            if here:
                guest = self._chance.choice(here)
                if guest.person is not None:
                    self._probes[guest.person.id] = due_s
                task = asyncio.create_task(guest.probe(due_s))
                running.add(task)
                task.add_done_callback(running.discard)
            due_s += 1 / rate
        await asyncio.gather(*running)
