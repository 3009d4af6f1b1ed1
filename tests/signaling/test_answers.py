# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from server.errors import CommandRejected, DisconnectCode, JoinRefused, RejectCode
from server.ports import Seq
from server.rooms.commands import Leave
from server.runner.steps import Acknowledged
from server.signaling.answers import Reply
from server.signaling.link import Link


class Counted:
    """A meter that keeps what it is told."""

    def __init__(self) -> None:
        self.answers: list[tuple[str, str]] = []
        self.endings: list[str] = []

    def joined(self, outcome: str, seconds: float) -> None:
        raise AssertionError(outcome, seconds)

    def answered(self, command: str, outcome: str, seconds: float) -> None:
        assert seconds >= 0
        self.answers.append((command, outcome))

    def disconnected(self, reason: str) -> None:
        self.endings.append(reason)

    def delivered(self, seconds: float) -> None:
        raise AssertionError(seconds)

    def media(self, outcome: str, seconds: float) -> None:
        raise AssertionError(outcome, seconds)

    def played(self, freezes: int, frozen_ms: int, concealed_ms: int, played_ms: int) -> None:
        raise AssertionError(freezes, frozen_ms, concealed_ms, played_ms)


def reply(outcome: Acknowledged | Exception, *, read: bool = True) -> tuple[Counted, Link]:
    """What is counted when a command comes to this."""
    meter = Counted()
    link = Link(meter)
    link.begin_command()
    answer = Reply(link, 1, meter)
    if read:
        answer.about(Leave)
    answer(outcome)
    return meter, link


@pytest.mark.parametrize(
    ("outcome", "counted"),
    [
        (Acknowledged(0, Seq(7)), "ok"),
        (CommandRejected(RejectCode.NOT_ALLOWED), "not_allowed"),
        (JoinRefused(DisconnectCode.SESSION_OVER), "busy"),
    ],
)
def test_answers_are_counted_by_kind_and_outcome(outcome: Acknowledged | Exception, counted: str) -> None:
    """And the link is free for the next command."""
    meter, link = reply(outcome)
    assert meter.answers == [("leave", counted)]
    assert not link.busy


def test_what_cannot_be_read_has_no_kind() -> None:
    """Nothing that a person wrote becomes a label."""
    meter, _ = reply(CommandRejected(RejectCode.BAD_MESSAGE), read=False)
    assert meter.answers == [("unreadable", "bad_message")]


def test_a_fault_of_the_room_ends_the_connection() -> None:
    """It is counted once, as the end of the connection, and the link is not busy for ever."""
    meter, link = reply(ZeroDivisionError())
    assert meter.answers == []
    assert meter.endings == ["internal"]
    assert link.over
    assert not link.busy
