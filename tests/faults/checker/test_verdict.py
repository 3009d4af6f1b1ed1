# SPDX-License-Identifier: Apache-2.0
"""Each invariant is found broken when it is, and a flawless run has no violation."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from server.errors import DisconnectCode
from server.ids import LOBBY, CommandId, Placement
from server.ports import Entry, Seq
from server.rooms import commands as c
from server.rooms import events as e
from server.rooms.state import Role
from server.rooms.view import view_of
from server.signaling.messages import Events, Ok, Snapshot, Welcome
from tests.faults.checker import history as h
from tests.faults.checker.retold import circle, found, last_told, moved, relife, retell, reviewed, shown_later, split
from tests.faults.checker.story import Story, records_of, with_records
from tests.faults.checker.verdict import Tally, check, tally
from tests.faults.checker.words import Invariant
from tests.rooms.builders import ANA, BEN, CLEO, MOD


@pytest.mark.parametrize("with_log", [True, False])
@pytest.mark.parametrize("tell", [circle, split])
def test_flawless(tell: Callable[[], Story], with_log: bool) -> None:
    """A run without a fault has no violation, whether the log can be read or not."""
    assert check(tell().run(with_log=with_log)) == ()


def test_flawless_through_everything() -> None:
    """Neither has one with removals, demotions, lost connections, returns and another life of the log."""
    story = split()
    story.do(MOD, c.SetHardMute(BEN, on=True))
    story.drop(ANA)
    story.do(MOD, c.CloseBreakouts())
    story.do(MOD, c.Remove(CLEO))
    story.join(ANA)
    story.begin_life()
    story.do(MOD, c.SetRole(ANA, Role.MODERATOR))
    story.do(ANA, c.SetRole(MOD, Role.PARTICIPANT))
    story.do(BEN, c.SendChat("three"))
    assert check(story.run()) == ()
    assert tally(check(story.run())) == Tally(0, 0, 0)


# -- I1 ----------------------------------------------------------------------------------------------------------------


def test_two_places() -> None:
    """I1: two people see a third in different places at the same position."""
    run = split().run(with_log=False)
    here = next(p.placement for p in split().state.participants.values() if p.id == ANA)
    there = "b2" if here == "b1" else "b1"
    broken = reviewed(run, BEN, lambda view: moved(view, ANA, there))
    assert Invariant.ONE_PLACE in found(broken)
    assert tally(check(broken)).two_places > 0


def test_in_a_room_that_is_not_open() -> None:
    """I1: a person in a breakout that does not exist is nowhere."""
    assert Invariant.ONE_PLACE in found(reviewed(circle().run(), MOD, lambda view: moved(view, MOD, "b9")))


def test_half_a_split() -> None:
    """I1: a log in which the rooms are closed and people are still in them is found."""
    story = split()

    def close(life: h.Life) -> h.Life:
        events = (e.BreakoutsRevised(9, e.BreakoutsChange.CLOSE, (), {}, None, 0, MOD),)
        return replace(life, entries=(*life.entries, Entry("x", 0, events)))

    assert Invariant.ONE_PLACE in found(relife(story.run(), close))


# -- I2 ----------------------------------------------------------------------------------------------------------------


def test_did_not_come_back() -> None:
    """I2: who was inside, lost the connection and is not back is lost, unless the run was cut short."""
    story = circle()
    story.drop(ANA)
    assert found(story.run()) == {Invariant.NOBODY_LOST}
    assert found(replace(story.run(), finished=False)) == set()


def test_left_on_purpose() -> None:
    """I2: who departed or was removed is not missed."""
    story = circle()
    story.do(MOD, c.Remove(CLEO))
    story.drop(ANA)
    story.records[ANA].append(h.Departed(story.now_ms))
    assert found(story.run()) == set()


def test_given_up_too_early() -> None:
    """I2: a seat is kept for the grace; who was away for longer has no claim to it."""
    story = circle()
    story.drop(ANA)
    story.now_ms += 10_000
    story.join(ANA)
    run = story.run(with_log=False)
    seq = Seq(story.seq + 1)
    left = e.ParticipantLeft(ANA, Placement("main"), e.LeaveReason.TIMED_OUT, 0)
    later = h.Told(story.now_ms, Events(story.epoch, seq, seq, 0, (left,)))
    early = with_records(run, MOD, *records_of(run, MOD), later)
    assert "ana lost the seat within the grace" in [violation.detail for violation in check(early)]
    late = [violation.detail for violation in check(replace(early, seat_grace_ms=5_000))]
    assert "ana lost the seat within the grace" not in late


def test_refused_on_return() -> None:
    """I2: who is refused on the way back is lost."""
    story = circle()
    story.drop(ANA)
    story.records[ANA].append(h.Refused(story.now_ms, DisconnectCode.ROOM_FULL))
    assert found(story.run()) == {Invariant.NOBODY_LOST}


def test_back_to_the_lobby() -> None:
    """I2: who was admitted is not sent to the lobby again."""
    story = circle()
    view = moved(view_of(story.state, ANA), ANA, LOBBY)
    assert Invariant.NOBODY_LOST in found(shown_later(story, ANA, view))


def test_a_ghost() -> None:
    """I2: a person who is connected must be in the room."""
    story = circle()

    def forget(life: h.Life) -> h.Life:
        events = (e.ConnectionLost(ANA, 0),)
        return replace(life, entries=(*life.entries, Entry("x", 0, events)))

    assert Invariant.NOBODY_LOST in found(relife(story.run(), forget))


# -- I3 ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("with_log", [True, False])
def test_a_lost_message(with_log: bool) -> None:
    """I3: a hole in the numbers that nothing fills is found."""
    run = circle().run(with_log=with_log)
    records = records_of(run, CLEO)
    del records[last_told(run, CLEO, Events) - 1]
    broken = with_records(run, CLEO, *records)
    assert Invariant.PREFIX in found(broken)
    assert tally(check(broken)).lost > 0


def test_a_silent_loss() -> None:
    """I3: an event that is left out inside of `from` and `to` is found: by the log, and by comparing clients."""
    run = circle().run()
    place = last_told(run, CLEO, Events)
    told = records_of(run, CLEO)[place]
    assert isinstance(told, h.Told)
    assert isinstance(told.message, Events)
    broken = retell(run, CLEO, place, replace(told.message, events=()))
    assert Invariant.PREFIX in found(broken)
    hand = next(i for i, r in enumerate(records_of(run, CLEO)) if isinstance(r, h.Told) and "HandRaised" in str(r))
    told = records_of(run, CLEO)[hand]
    assert isinstance(told, h.Told)
    assert isinstance(told.message, Events)
    broken = retell(replace(run, lives=()), CLEO, hand, replace(told.message, events=()))
    assert Invariant.PREFIX in found(broken)


def test_the_end_is_missing() -> None:
    """I3: a client to whom the last messages never came is found, though what it saw is a prefix."""
    run = circle().run()
    records = records_of(run, CLEO)
    del records[last_told(run, CLEO, Events)]
    assert found(with_records(run, CLEO, *records)) == {Invariant.PREFIX}


def test_told_twice() -> None:
    """I3, I7: a batch that repeats a part of the one before is found."""
    run = circle().run()
    place = last_told(run, CLEO, Events)
    records = records_of(run, CLEO)
    before, told = records[place - 1], records[place]
    assert isinstance(before, h.Told)
    assert isinstance(told, h.Told)
    assert isinstance(before.message, Events)
    assert isinstance(told.message, Events)
    both = before.message.events + told.message.events
    again = replace(told.message, first=before.message.first, events=both)
    assert Invariant.PREFIX in found(retell(run, CLEO, place, again))


def test_a_repeated_message_is_ignored() -> None:
    """I3: what comes twice as a whole has no effect and is no fault."""
    run = circle().run()
    records = records_of(run, CLEO)
    place = last_told(run, CLEO, Events)
    assert found(with_records(run, CLEO, *records, records[place])) == set()


def test_a_gap_that_is_filled() -> None:
    """I3: a hole after which a snapshot came is no fault."""
    run = circle().run()
    records = records_of(run, MOD)
    place = last_told(run, MOD, Events)
    told = records[place]
    assert isinstance(told, h.Told)
    del records[place - 2]
    snapshot = Snapshot(told.message.epoch, circle().seq, 0, view_of(circle().state, MOD))
    assert found(with_records(run, MOD, *records, h.Told(0, snapshot))) == set()


# -- I4 ----------------------------------------------------------------------------------------------------------------


def test_an_older_welcome() -> None:
    """I4: a node that lags must not show an older room."""
    run = circle().run()
    records = records_of(run, ANA)
    first = next(r for r in records if isinstance(r, h.Told))
    assert Invariant.MONOTONE in found(with_records(run, ANA, *records, first))


def test_a_revision_goes_back() -> None:
    """I4: the revision of the breakouts never falls within an epoch."""
    story = split()
    view = view_of(story.state, ANA)
    back = replace(view, breakouts=replace(view.breakouts, revision=-1))
    assert Invariant.MONOTONE in found(shown_later(story, ANA, back))


# -- I5 ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("with_log", [True, False])
def test_removed_and_back(with_log: bool) -> None:
    """I5: who was removed is in no later view, also in another life of the log."""
    story = circle()
    before = story.state.participants[CLEO]
    story.do(MOD, c.Remove(CLEO))
    view = view_of(story.state, BEN)
    again = replace(view, participants={**view.participants, CLEO: before})
    assert Invariant.REVOKED in found(shown_later(story, BEN, again, with_log=with_log))


def test_the_ban_is_forgotten() -> None:
    """I5: a new life of the log must remember who was removed."""
    story = circle()
    story.do(MOD, c.Remove(CLEO))
    story.begin_life()
    run = relife(story.run(), lambda life: replace(life, snapshot=replace(life.snapshot, removed=frozenset())))
    assert Invariant.REVOKED in found(run)


@pytest.mark.parametrize(
    ("command", "undo"),
    [
        (c.SetRole(ANA, Role.PARTICIPANT), lambda p: replace(p, role=Role.MODERATOR)),
        (c.SetHardMute(ANA, on=True), lambda p: replace(p, hard_muted=False)),
    ],
)
def test_a_right_comes_back(command: c.RoomCommand, undo: Callable[[object], object]) -> None:
    """I5: who was demoted or muted has the right back only by a moderator's word."""
    story = circle()
    story.do(MOD, c.SetRole(ANA, Role.MODERATOR))
    story.do(MOD, command)
    story.begin_life()

    def regain(life: h.Life) -> h.Life:
        people = life.snapshot.participants
        return replace(life, snapshot=replace(life.snapshot, participants={**people, ANA: undo(people[ANA])}))

    assert found(story.run()) == set()
    assert Invariant.REVOKED in found(relife(story.run(), regain))


def test_the_older_tab_acts() -> None:
    """I5: once a newer connection has the seat, the older one does nothing more."""
    story = circle()
    run = story.run(with_log=False)
    welcome = Welcome(ANA, story.state.id, story.epoch, story.seq, "s", 0, view=view_of(story.state, ANA))
    newer = h.History(ANA, (h.Opening(0, "b", resumes=False), h.Told(0, welcome)))
    two = replace(run, histories=(*run.histories, newer))
    assert Invariant.REVOKED not in found(two)
    later = (
        h.Sent(0, CommandId("late"), c.RaiseHand()),
        h.Answered(0, CommandId("late"), Ok(Seq(story.seq + 3))),
    )
    old = replace(two.histories[1], records=(*two.histories[1].records, *later))
    assert Invariant.REVOKED in found(replace(two, histories=(two.histories[0], old, *two.histories[2:])))


def test_turned_on_by_somebody_else() -> None:
    """I5: nobody turns on another person's microphone."""
    run = circle().run(with_log=False)
    event = e.MicrophoneChanged(ANA, on=True, by=MOD)
    seq = Seq(circle().seq + 1)
    later = h.Told(0, Events(circle().epoch, seq, seq, 0, (event,)))
    place = last_told(run, BEN, Events)
    records = [*records_of(run, BEN)[: place + 1], later]
    assert Invariant.REVOKED in found(with_records(run, BEN, *records))


# -- I6, I7 ------------------------------------------------------------------------------------------------------------


def test_acknowledged_and_gone() -> None:
    """I6: an acknowledged command that the log does not have is lost."""
    run = circle().run()
    broken = relife(run, lambda life: replace(life, entries=life.entries[:-1]))
    assert Invariant.ACKED_KEPT in found(broken)
    assert tally(check(broken)).lost > 0


def test_acknowledged_and_gone_with_the_epoch() -> None:
    """I6: what was acknowledged is known to every later life of the log."""
    story = circle()
    story.begin_life()
    run = relife(story.run(), lambda life: replace(life, snapshot=replace(life.snapshot, recent={}, latest={})))
    assert Invariant.ACKED_KEPT in found(run)


def test_acknowledged_in_a_life_that_nobody_read() -> None:
    """I6: it was over between two looks; what counts is whether the next one has the command."""
    story = circle()
    story.begin_life()
    unread = replace(story.run(), lives=story.run().lives[-1:])
    assert Invariant.ACKED_KEPT not in found(unread)
    forgotten = relife(unread, lambda life: replace(life, snapshot=replace(life.snapshot, recent={}, latest={})))
    assert Invariant.ACKED_KEPT in found(forgotten)


def test_acknowledged_chat_nobody_saw() -> None:
    """I6: without a log, a message that was acknowledged and that nobody has ever seen is lost."""
    run = circle().run(with_log=False)
    lost = (h.Sent(0, CommandId("z"), c.SendChat("gone")), h.Answered(0, CommandId("z"), Ok(Seq(99))))
    assert Invariant.ACKED_KEPT in found(with_records(run, ANA, *records_of(run, ANA), *lost))


def test_two_effects() -> None:
    """I7: one command with two entries, or one message with two numbers, is found."""
    story = circle()
    run = relife(story.run(), lambda life: replace(life, entries=(*life.entries, life.entries[-1])))
    assert Invariant.ONCE in found(run)
    seq = Seq(story.seq + 1)
    (event,) = story.entries[-1].events
    assert isinstance(event, e.ChatSent)
    again = e.ChatSent(replace(event.message, id=event.message.id + 1))
    later = h.Told(0, Events(story.epoch, seq, seq, 0, (again,)))
    run = story.run(with_log=False)
    broken = with_records(run, BEN, *records_of(run, BEN), later)
    assert Invariant.ONCE in found(broken)
    assert tally(check(broken)).duplicated > 0


def test_applied_twice() -> None:
    """I7: a client that applies one event twice is found."""
    story = circle()
    seq = Seq(story.seq + 1)
    later = h.Told(0, Events(story.epoch, seq, seq, 0, story.entries[-1].events))
    run = story.run(with_log=False)
    assert Invariant.ONCE in found(with_records(run, BEN, *records_of(run, BEN), later))


# -- I8 to I12 ---------------------------------------------------------------------------------------------------------


def test_media_from_elsewhere() -> None:
    """I8: nobody hears a person of another room beyond the grace, and everybody those of their own."""
    story = split()
    where = {person.id: person.placement for person in story.state.participants.values()}
    near = next((p for p in where if p != ANA and where[p] == where[ANA]), None)
    far = next(p for p in where if where[p] != where[ANA])
    run = story.run()
    records = records_of(run, ANA)
    end = records[-1].at_ms
    assert found(with_records(run, ANA, *records, h.Heard(end + 5_000, far))) == {Invariant.MEDIA_FOLLOWS}
    switch = next(
        r.at_ms for r in records if isinstance(r, h.Told) and isinstance(r.message, Snapshot) and "b1" in str(r)
    )
    assert found(with_records(run, ANA, *records, h.Heard(switch + 500, far))) == set()
    if near is not None:
        assert found(with_records(run, ANA, *records, h.Heard(end, near))) == set()
