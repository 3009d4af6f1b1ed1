# SPDX-License-Identifier: Apache-2.0
"""What must not be undone is acknowledged with whether it is safe; what may be is not held up by that."""

from __future__ import annotations

from msgspec.structs import replace

from server.ids import CommandId, ParticipantId
from server.ports import Appended, Entry, Epoch, Loaded, Seq
from server.rooms.commands import RaiseHand, Rename
from server.runner.pipeline import Pipeline
from server.runner.steps import Acknowledged, Append, Limits, Output, Submission, key_of
from tests.runner.toys import FIRST, TIMELESS

HARD = replace(TIMELESS, is_hard=lambda command: isinstance(command, Rename))
EPOCH = Epoch(1)


def room() -> Pipeline:
    """At rest; renaming is what must not be undone here."""
    pipeline = Pipeline(HARD, Loaded(EPOCH, Seq(0), FIRST, ()), Limits())
    pipeline.request()
    pipeline.tail(())
    pipeline.outputs()
    return pipeline


def asked(pipeline: Pipeline) -> tuple[Append, tuple[Entry, ...]]:
    """One hard command of `a` (ticket 1) and a soft one of `b` (ticket 2) on their way to the log."""
    pipeline.submit(submission(1, "a", Rename("Ann")))
    pipeline.submit(submission(2, "b", RaiseHand()))
    request = pipeline.request()
    assert isinstance(request, Append)
    return request, request.entries


def submission(ticket: int, person: str, command: Rename | RaiseHand) -> Submission:
    """A command that has come."""
    actor = ParticipantId(person)
    return Submission(ticket, key_of(actor, CommandId("1")), command, actor)


def told(outputs: tuple[Output, ...]) -> dict[int, bool]:
    """Who was told that it is done, and whether that it is safe."""
    return {output.ticket: output.safe for output in outputs if isinstance(output, Acknowledged)}


def test_the_author_of_a_hard_command_hears_whether_it_is_safe() -> None:
    """The log's word is passed on; the soft command beside it was promised nothing more."""
    for safe in (True, False):
        pipeline = room()
        request, _ = asked(pipeline)
        assert request.hard
        pipeline.appended(Appended(safe))
        assert told(pipeline.outputs()) == {1: safe, 2: True}


def test_a_hint_acknowledges_what_is_soft_only() -> None:
    """It says that the entries are in the log, and nothing of a second copy."""
    pipeline = room()
    _, entries = asked(pipeline)
    pipeline.hint(EPOCH, Seq(1), entries)
    assert told(pipeline.outputs()) == {2: True}
    pipeline.appended(Appended())
    assert told(pipeline.outputs()) == {1: True}


def test_what_nobody_could_confirm_is_not_called_safe() -> None:
    """The reply was lost, and the entry is found by reading: in the log, and that is all that is known."""
    pipeline = room()
    _, entries = asked(pipeline)
    pipeline.failed()
    pipeline.request()
    pipeline.tail(entries)
    assert told(pipeline.outputs()) == {1: False, 2: True}


def test_a_repeated_hard_command_is_not_called_safe_again() -> None:
    """Nobody asks the replicas about it a second time."""
    pipeline = room()
    asked(pipeline)
    pipeline.appended(Appended())
    pipeline.outputs()
    pipeline.submit(submission(3, "a", Rename("Ann")))
    pipeline.submit(submission(4, "b", RaiseHand()))
    pipeline.request()
    assert told(pipeline.outputs()) == {3: False, 4: True}
