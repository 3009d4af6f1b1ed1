# SPDX-License-Identifier: Apache-2.0
"""Runs without a flaw, and the ways to put one in."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from server.ids import ParticipantId, Placement
from server.ports import Seq
from server.rooms import commands as c
from server.rooms.state import AssignmentStrategy, Role, RoomView
from server.signaling.messages import Snapshot, Welcome
from tests.faults.checker import history as h
from tests.faults.checker.story import Story, records_of, with_records
from tests.faults.checker.verdict import check
from tests.faults.checker.words import Invariant
from tests.rooms.builders import ANA, BEN, CLEO, MOD


def circle() -> Story:
    """A moderator and three people in main, who have talked."""
    story = Story()
    story.join(MOD, Role.MODERATOR)
    for person in (ANA, BEN, CLEO):
        story.join(person)
    story.do(MOD, c.Admit((ANA, BEN, CLEO)))
    story.do(ANA, c.SendChat("one"))
    story.do(BEN, c.RaiseHand())
    story.do(BEN, c.SendChat("two"))
    return story


def split() -> Story:
    """The same people, in two breakouts."""
    story = circle()
    story.do(MOD, c.DraftPlan(AssignmentStrategy.EVEN, 2, 0))
    plan = story.state.breakouts.plan
    assert plan is not None
    story.do(MOD, c.OpenBreakouts(plan.version, allow_alone=True))
    story.do(ANA, c.SendChat("here"))
    return story


def found(run: h.Run) -> set[Invariant]:
    """Which invariants are broken."""
    return {violation.invariant for violation in check(run)}


def last_told(run: h.Run, person: ParticipantId, *kinds: type) -> int:
    """Where this person's last message of these kinds stands."""
    records = records_of(run, person)
    return max(i for i, r in enumerate(records) if isinstance(r, h.Told) and isinstance(r.message, kinds))


def retell(run: h.Run, person: ParticipantId, place: int, message: object) -> h.Run:
    """The run in which this person was told something else there."""
    records = records_of(run, person)
    told = records[place]
    assert isinstance(told, h.Told)
    records[place] = msgspec.structs.replace(told, message=message)
    return with_records(run, person, *records)


def reviewed(run: h.Run, person: ParticipantId, change: Callable[[RoomView], RoomView]) -> h.Run:
    """The run in which this person's last view was another one."""
    place = last_told(run, person, Welcome, Snapshot)
    told = records_of(run, person)[place]
    assert isinstance(told, h.Told)
    assert isinstance(told.message, Welcome | Snapshot)
    assert told.message.view is not None
    return retell(run, person, place, replace(told.message, view=change(told.message.view)))


def moved(view: RoomView, person: ParticipantId, to: str) -> RoomView:
    """The view with this person elsewhere."""
    there = replace(view.participants[person], placement=Placement(to))
    return replace(view, participants={**view.participants, person: there})


def relife(run: h.Run, change: Callable[[h.Life], h.Life]) -> h.Run:
    """The run with another last life of the log."""
    return replace(run, lives=(*run.lives[:-1], change(run.lives[-1])))


def shown_later(story: Story, person: ParticipantId, view: RoomView, *, with_log: bool = False) -> h.Run:
    """The story with one more snapshot for this person, at the next position."""
    run = story.run(with_log=with_log)
    later = h.Told(story.now_ms, Snapshot(story.epoch, Seq(story.seq + 1), 0, view))
    return with_records(run, person, *records_of(run, person), later)


# -- nothing is wrong --------------------------------------------------------------------------------------------------
