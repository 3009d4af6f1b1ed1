# SPDX-License-Identifier: Apache-2.0
"""Who was there and when, as the state of the log has it; and the end that a care platform brings about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from server.errors import CommandRejected, JoinRefused, RejectCode
from server.ids import ParticipantId, PhaseId
from server.ports import Entry
from server.rooms import commands as c
from server.rooms.attendance import MAX_STAYS, MAX_STRETCHES, presences, present_ms
from server.rooms.context import Events
from server.rooms.events import LeaveReason, ParticipantLeft, SessionEnded
from server.rooms.phases import EndReason, SessionStatus
from server.rooms.platform import CloseSession
from server.rooms.state import AssignmentStrategy, Presence, Role, RoomState
from server.rooms.view import view_of
from server.runner.core import ROOM_RULES
from tests.rooms.builders import ANA, BEN, MINUTE, MOD, Session

STATE = msgspec.msgpack.Decoder(RoomState)


class Kept(Session):
    """A session whose state is folded as the runner does it, and read by another node after each entry."""

    def _commit(self, events: Events) -> Events:
        self.history.append((self.state, events))
        entry = Entry(f"c{len(self.history)}", self.now_ms, events)
        self.state = STATE.decode(msgspec.msgpack.encode(ROOM_RULES.fold(self.state, entry, len(self.history))))
        return events

    def stays(self, who: ParticipantId) -> list[tuple[int, int | None]]:
        """From when to when somebody was there."""
        return [(stay.from_ms, stay.to_ms) for stay in self.state.attendance.people[who].stays]


def begun(*people: ParticipantId) -> Kept:
    """A moderator and these people, in the first phase."""
    session = Kept()
    session.join(MOD, role=Role.MODERATOR)
    session.join(*people)
    session.do(MOD, c.NextPhase())
    return session


def test_the_lobby_is_not_attendance() -> None:
    """It begins when somebody is let in; who is refused was never there."""
    session = Kept()
    session.join(MOD, role=Role.MODERATOR)
    session.knock(ANA, reference="case-7")
    session.knock(BEN)
    session.do(MOD, c.Deny(BEN))
    assert ANA not in session.state.attendance.people
    session.do(MOD, c.Admit((ANA,)))
    assert session.stays(ANA) == [(session.now_ms, None)]
    assert session.state.attendance.people.keys() == {MOD, ANA}
    assert session.state.attendance.people[ANA].reference == "case-7"


def test_a_lost_connection_ends_a_stay_and_a_return_begins_another() -> None:
    """The minute that the seat is kept is absence; the sum is of the stays alone."""
    session = begun(ANA)
    came = session.stays(ANA)[0][0]
    session.lose(ANA)
    lost = session.now_ms
    session.pass_time(20_000)
    session.knock(ANA)
    back = session.now_ms
    session.pass_time(5_000)
    assert session.stays(ANA) == [(came, lost), (back, None)]
    assert present_ms(session.state.attendance.people[ANA], session.now_ms) == lost - came + 5_000
    session.lose(ANA)
    gone = session.now_ms
    session.pass_time(2 * MINUTE)
    assert ANA not in session.state.participants
    assert session.stays(ANA)[-1] == (back, gone)


def test_a_reference_stays_with_the_person() -> None:
    """Also when they come back by a link without one; a new one replaces it; nobody in the room sees it."""
    session = Kept()
    session.join(MOD, role=Role.MODERATOR)
    session.knock(ANA, reference="case-7")
    session.do(MOD, c.Admit((ANA,)))
    session.knock(ANA)
    assert session.state.attendance.people[ANA].reference == "case-7"
    session.do(ANA, c.Leave())
    session.knock(ANA, reference="case-8")
    assert session.state.attendance.people[ANA].reference == "case-8"
    for viewer in (ANA, MOD):
        assert b"case-" not in msgspec.json.encode(view_of(session.state, viewer))


def test_presence_is_told_by_phase() -> None:
    """Each minute counts for the phase that it was in; before the first and after the last there is none."""
    session = begun(ANA)
    session.pass_time(10_000)
    session.do(MOD, c.NextPhase())
    changed = session.now_ms
    session.pass_time(5_000)
    session.do(ANA, c.Leave())
    session.pass_time(60_000)
    session.do(MOD, c.EndSession())
    ended = session.now_ms
    kept = session.state.attendance
    assert kept.started_ms is not None
    assert kept.ended_ms == ended
    mod, ana = presences(kept, session.now_ms + MINUTE)
    assert ana.phases == {PhaseId("check-in"): changed - kept.started_ms, PhaseId("topic"): 6_000}
    assert mod.phases[PhaseId("topic")] == ended - changed
    assert mod.present_ms == ended - kept.people[MOD].stays[0].from_ms
    assert all(stay.to_ms is not None for each in kept.people.values() for stay in each.stays)


def test_a_role_is_the_last_one_held() -> None:
    """Who was made a leader is one in the list."""
    session = begun(ANA)
    session.do(MOD, c.SetRole(ANA, Role.LEADER))
    assert session.state.attendance.people[ANA].role is Role.LEADER


def test_the_list_is_bounded_and_the_sum_is_right() -> None:
    """However often somebody loses the connection, and phases are changed."""
    session = begun(ANA)
    total = -session.stays(ANA)[0][0]
    for _ in range(MAX_STAYS + 5):
        session.lose(ANA)
        total += session.now_ms
        session.knock(ANA)
        total -= session.now_ms
    for _ in range(MAX_STRETCHES):
        session.do(MOD, c.NextPhase())
        session.do(MOD, c.PreviousPhase())
    assert len(session.stays(ANA)) == MAX_STAYS
    assert present_ms(session.state.attendance.people[ANA], session.now_ms) == total + session.now_ms
    assert len(session.state.attendance.phases) <= MAX_STRETCHES


STEPS: Final[dict[str, Callable[[Kept], object]]] = {
    "lose": lambda session: session.lose(ANA),
    "back": lambda session: session.knock(ANA),
    "leave": lambda session: session.do(BEN, c.Leave()),
    "wait": lambda session: session.pass_time(45_000),
    "next": lambda session: session.do(MOD, c.NextPhase()),
    "debrief": lambda session: session.do(None, CloseSession(debrief=True)),
    "end": lambda session: session.do(None, CloseSession()),
}


@given(st.lists(st.sampled_from(sorted(STEPS)), max_size=25))
def test_who_is_there_now_has_an_open_stay(steps: list[str]) -> None:
    """And nobody else; stays follow one another, and nobody was there longer than the time that passed."""
    session = begun(ANA, BEN)
    for step in steps:
        try:
            STEPS[step](session)
        except (CommandRejected, JoinRefused, KeyError, AssertionError):  # not possible now
            continue
        people = session.state.participants.values()
        here = {person.id for person in people if person.presence is Presence.CONNECTED}
        kept = session.state.attendance.people
        assert here == {who for who, each in kept.items() if each.stays[-1].to_ms is None}
        for each in kept.values():
            times = [time for stay in each.stays for time in (stay.from_ms, stay.to_ms) if time is not None]
            assert times == sorted(times)
            assert 0 <= present_ms(each, session.now_ms) <= session.now_ms


# -- the end that the platform brings about ----------------------------------------------------------------------------


def test_the_platform_ends_a_session_for_all() -> None:
    """With the reason; a second time nothing happens. Breakouts are closed, everybody leaves in the same entry."""
    session = begun(ANA, BEN)
    session.do(MOD, c.DraftPlan(AssignmentStrategy.EVEN, 1, 0))
    session.do(MOD, c.OpenBreakouts(1))
    events = session.do(None, CloseSession(EndReason.SAFETY))
    ended = next(event for event in events if isinstance(event, SessionEnded))
    assert (ended.debrief, ended.by, ended.reason) == (False, None, EndReason.SAFETY)
    left = [event for event in events if isinstance(event, ParticipantLeft)]
    assert {event.participant for event in left} == {ANA, BEN, MOD}
    assert {event.reason for event in left} == {LeaveReason.ENDED}
    assert (session.state.status, session.state.breakouts.rooms) == (SessionStatus.ENDED, ())
    assert session.do(None, CloseSession()) == ()
    assert session.do(None, CloseSession(debrief=True)) == ()


def test_staff_may_stay_for_the_debrief() -> None:
    """If the session was live and a moderator is there, who can end it; then the platform can end that too."""
    session = begun(ANA)
    session.do(None, CloseSession(debrief=True))
    assert (session.state.status, set(session.state.participants)) == (SessionStatus.DEBRIEF, {MOD})
    assert session.do(None, CloseSession(debrief=True)) == ()
    session.do(None, CloseSession())
    assert session.state.status is SessionStatus.ENDED


def test_nobody_stays_where_nobody_could_end_it() -> None:
    """Before the session, and without a moderator, the end is the end."""
    waiting = Kept()
    waiting.join(MOD, role=Role.MODERATOR)
    waiting.do(None, CloseSession(EndReason.CANCELLED, debrief=True))
    assert waiting.state.status is SessionStatus.ENDED
    alone = begun(ANA)
    alone.lose(MOD)
    alone.do(None, CloseSession(debrief=True))
    assert alone.state.status is SessionStatus.ENDED


def test_no_person_can_act_as_the_platform() -> None:
    """Not even a moderator."""
    session = begun(ANA)
    assert session.refused(MOD, CloseSession()) is RejectCode.NOT_ALLOWED
