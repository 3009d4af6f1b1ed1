# SPDX-License-Identifier: Apache-2.0
"""Whose connection a command came through is asked when it is decided, not when it comes."""

from __future__ import annotations

from server.errors import CommandRejected, RejectCode
from server.ids import CommandId, ConnectionId
from server.ports import Appended, Epoch, Loaded, Seq
from server.rooms.commands import RaiseHand
from server.runner.core import ROOM_RULES
from server.runner.pipeline import Pipeline
from server.runner.steps import Acknowledged, Append, Limits, Refused, Submission, key_of
from tests.rooms.builders import ANA, circle


def test_a_command_of_an_older_tab_that_waits_behind_the_newer_one_is_refused() -> None:
    """Both are decided in one append; only what the newer tab says after that counts."""
    session = circle(ANA)
    older, newer = session.state.seats[ANA].connection, ConnectionId("newer")
    pipeline = Pipeline(ROOM_RULES, Loaded(Epoch(1), Seq(0), session.state, ()), Limits())
    pipeline.request()
    pipeline.tail(())
    pipeline.submit(Submission(1, "seat", session.seat(ANA, connection=newer), None))
    for ticket, connection in enumerate((older, newer), 2):
        key = key_of(ANA, CommandId(str(ticket)))
        pipeline.submit(Submission(ticket, key, RaiseHand(), ANA, connection=connection))
    request = pipeline.request()
    assert isinstance(request, Append)
    pipeline.appended(Appended())
    answers = {output.ticket: output for output in pipeline.outputs() if isinstance(output, Acknowledged | Refused)}
    refused = answers.pop(2)
    assert isinstance(refused, Refused)
    assert isinstance(refused.error, CommandRejected)
    assert refused.error.code is RejectCode.BUSY
    assert {ticket: type(answer) for ticket, answer in answers.items()} == {1: Acknowledged, 3: Acknowledged}
