# SPDX-License-Identifier: Apache-2.0
"""Pipelines with one rule taken out. Each must break a promise, or the model check proves nothing."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from server.ports import Appended, AppendOutcome, Conflict, Entry, Epoch, Seq
from server.rooms.state import RoomState
from server.runner.pipeline import Pipeline
from server.runner.steps import Acknowledged, Append, Committed, Output, Refused, Request, Rules
from tests.runner.toys import TIMELESS, remember


class NoPosition(Pipeline):
    """Takes every entry of this epoch, as if the next position were always meant."""

    def commit(self, epoch: Epoch, seq: Seq, entry: Entry) -> None:
        super().commit(epoch, Seq(self.seq + 1) if epoch == self.epoch else seq, entry)


class NoEpoch(Pipeline):
    """Takes entries of another life of the room."""

    def commit(self, epoch: Epoch, seq: Seq, entry: Entry) -> None:
        del epoch
        super().commit(self.epoch, seq, entry)


class NoRead(Pipeline):
    """Takes an append without an answer for one that never happened: decides again, without reading."""

    def failed(self) -> None:
        if isinstance(self._busy, Append):
            self._busy = None
            self._answer()
        else:
            super().failed()


class NoResend(Pipeline):
    """Reads after an unknown outcome, but then decides again what may still be on its way."""

    def _reconcile(self) -> None:
        if self._batch is not None and self._batch.entries:
            self._answer()
        else:
            super()._reconcile()


class AcknowledgesFirst(Pipeline):
    """Answers before listeners have seen the commit."""

    def outputs(self) -> tuple[Output, ...]:
        return tuple(sorted(super().outputs(), key=lambda output: isinstance(output, Committed)))


class AcknowledgesOnSending(Pipeline):
    """Answers as soon as the append is on its way."""

    def request(self) -> Request | None:
        request = super().request()
        if isinstance(request, Append) and self._batch is not None:
            for place, member in enumerate(self._batch.members, 1):
                self._emit(Acknowledged(member.submission.ticket, Seq(self._batch.base + place)))
            self._keep(())
        return request


class RefusesAtOnce(Pipeline):
    """Refuses on whatever state this node has, without confirming that it is current."""

    def _form(self) -> None:
        super()._form()
        if self._batch is not None:
            for member in self._batch.members:
                if member.refusal is not None:
                    self._emit(Refused(member.submission.ticket, member.refusal))
            self._keep(tuple(member for member in self._batch.members if member.refusal is None))
            if not self._batch.members:
                self._batch = None


class SendsLosersAgain(Pipeline):
    """After a conflict appends the same entries behind the others', instead of deciding again."""

    def appended(self, outcome: AppendOutcome) -> None:
        lost = self._batch if isinstance(outcome, Conflict) else None
        if lost is None:
            super().appended(outcome)
        else:
            assert isinstance(outcome, Conflict)
            self._busy = None
            self._commit_all(lost.base, outcome.missing)
            self._batch = replace(lost, base=self.seq)


class ForgetsToAnswer(Pipeline):
    """Drops what has to be decided again."""

    def _answer(self, known: Mapping[str, Seq] | None = None, *, stands: bool = False, safe: bool = False) -> None:
        waiting = self._queue
        super()._answer(known, stands=stands, safe=safe)
        self._queue = waiting


class TrustsEveryReply(Pipeline):
    """Takes a batch with duplicates in it for a stored one."""

    def appended(self, outcome: AppendOutcome) -> None:
        del outcome
        super().appended(Appended())


def remember_one(state: RoomState, key: str, seq: int) -> RoomState:
    """A memory of one command."""
    return replace(remember(state, key, seq), recent={key: seq})


def forget_all(state: RoomState, key: str) -> None:
    """No memory at all."""
    del state, key


SHORT_MEMORY: Rules = replace(TIMELESS, remember=remember_one)
NO_MEMORY: Rules = replace(TIMELESS, recall=forget_all)
