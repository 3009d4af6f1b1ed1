# SPDX-License-Identifier: Apache-2.0
"""Of several connections of one person: which of them gets the seat, and which is heard."""

from __future__ import annotations

import pytest

from server.errors import CommandRejected, JoinRefused, RejectCode
from server.ids import ConnectionId
from server.rooms import commands as c
from server.rooms.context import Context
from server.rooms.decide import decide
from server.rooms.state import Role
from tests.rooms.builders import ANA, Session, circle


def attempt(session: Session, connection: str, **claims: str) -> c.TakeSeat:
    """An attempt of somebody to take their seat, as the node knows that when their connection comes."""
    seat = session.state.seats.get(ANA)
    known = 0 if seat is None else seat.generation
    return session.seat(ANA, Role.PARTICIPANT, connection=connection, generation=known, **claims)


def test_an_attempt_that_was_given_up_does_not_take_the_seat_away() -> None:
    """The client has come in through another node meanwhile; who still waits for this one is told to come again."""
    session = circle()
    late, quick = attempt(session, "late"), attempt(session, "quick")
    session.do(None, quick)
    with pytest.raises(JoinRefused, match=r"^server_busy$"):
        session.do(None, late)
    assert session.state.seats[ANA].connection == "quick"
    session.do(None, attempt(session, "another tab"))
    assert session.state.seats[ANA].connection == "another tab"


def test_of_tabs_that_come_to_one_node_at_once_the_last_has_the_seat() -> None:
    """A node takes them in the order in which they came: none of them was overtaken."""
    session = circle()
    tabs = [attempt(session, f"n1.{number}") for number in range(3)]
    for tab in tabs:
        session.do(None, tab)
    assert session.state.seats[ANA].connection == "n1.2"


def test_an_attempt_that_was_given_up_does_not_bring_somebody_back_who_has_left() -> None:
    """It was meant for the seat that is gone."""
    session = circle(ANA)
    late = attempt(session, "late")
    session.do(ANA, c.Leave())
    with pytest.raises(JoinRefused, match=r"^server_busy$"):
        session.do(None, late)
    assert ANA not in session.state.participants


def test_a_late_attempt_by_an_earlier_secret_does_not_take_the_seat_away() -> None:
    """Both show the same secret; the one that was answered counts. The secret it has brought opens the seat anyway."""
    session = Session()
    session.knock(ANA, resume_hash="first")
    late, quick = (attempt(session, name, shown_hash="first", resume_hash=name) for name in ("late", "quick"))
    session.do(None, quick)
    with pytest.raises(JoinRefused, match=r"^server_busy$"):
        session.do(None, late)
    session.do(None, session.seat(ANA, connection="next", generation=0, shown_hash="quick"))
    assert session.state.seats[ANA].connection == "next"


def test_who_speaks_through_a_connection_without_the_seat_is_not_heard() -> None:
    """A command of the older tab waited behind the newer one's coming, or the seat counts as lost."""
    session = circle(ANA)
    older = session.state.seats[ANA].connection

    def say(connection: ConnectionId | None) -> bool:
        return bool(decide(session.state, c.RaiseHand(), ANA, Context(now_ms=session.now_ms, connection=connection)))

    def refused(connection: ConnectionId | None) -> bool:
        with pytest.raises(CommandRejected) as refusal:
            say(connection)
        return refusal.value.code is RejectCode.BUSY

    assert say(older)
    session.knock(ANA)
    newer = session.state.seats[ANA].connection
    assert refused(older)
    assert say(newer)
    assert say(None)
    session.lose(ANA)
    assert refused(newer)
