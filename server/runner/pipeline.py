# SPDX-License-Identifier: Apache-2.0
"""The commit pipeline of one room on one node: from commands to entries of the log. Pure: no clock, no task, no I/O.

The log is the only truth. These rules keep all nodes at one history, each command at one effect, each answer true:

- A committed entry enters through `commit` alone, in the order of the log, once, whether it comes as the reply of our
  own append, as a hint, or from reading.
- A batch is decided entry by entry on a scratch state. If it loses, it is decided again on the newer state.
- A command is acknowledged once the committed state holds it, never before.
- A refusal is said once the state it was decided on has proved current: with the batch it was decided in, or by a read
  that finds nothing new. Otherwise a node that lags could refuse a retry of what another node has committed.
- An append whose outcome is unknown may still take effect later. The log is read first. While nothing new is there, the
  very same batch is sent again and nothing is decided anew; once anything is there, the old append can only conflict.
- At most one request to the log is on its way.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import assert_never

from msgspec.structs import replace

from server.errors import DisconnectCode, JoinRefused
from server.ports import (
    Appended,
    AppendOutcome,
    Conflict,
    Duplicates,
    Entry,
    Epoch,
    EpochChanged,
    Loaded,
    ReadOutcome,
    Seq,
    Trimmed,
)
from server.rooms.context import Context
from server.rooms.state import RoomState
from server.runner.batch import Batch, Member
from server.runner.due import Due, due_in
from server.runner.steps import (
    Acknowledged,
    Append,
    Committed,
    Faulted,
    Limits,
    Load,
    Output,
    Read,
    Refused,
    Request,
    Reset,
    Rules,
    Submission,
    Unanswered,
)


class _Need(IntEnum):
    """What must be asked of the log before anything else is decided."""

    NOTHING = 0
    READ = 1
    LOAD = 2


class Pipeline:
    """A state machine: inputs are method calls; `request` and `outputs` say what to do next.

    Every attribute holds an immutable value, so that `copy.copy` is a complete snapshot (the model check relies on it).
    """

    def __init__(self, rules: Rules, loaded: Loaded, limits: Limits) -> None:
        self._rules = rules
        self._limits = limits
        self._queue: tuple[Submission, ...] = ()
        self._batch: Batch | None = None
        self._busy: Request | None = None
        self._need = _Need.READ  # hints from between loading and subscribing are lost
        self._outputs: tuple[Output, ...] = ()
        self._now_ms = self._at_ms = 0
        self._seed = 0
        self._timeout_tried: Seq | None = None
        self._due = Due()
        self.gone = False
        self.epoch = Epoch(0)
        self.seq = Seq(0)
        self.state = loaded.snapshot
        self._adopt(loaded)

    # -- inputs --------------------------------------------------------------------------------------------------------

    def advance(self, now_ms: int, seed: int = 0) -> None:
        """Tell the present (log time) and a fresh seed for time-outs. Going back has no effect."""
        self._now_ms = max(self._now_ms, now_ms)
        self._seed = seed

    def submit(self, submission: Submission) -> None:
        """A command has arrived."""
        if self.gone:
            self._emit(Refused(submission.ticket, JoinRefused(DisconnectCode.SESSION_OVER)))
        else:
            self._queue += (submission,)

    def hint(self, epoch: Epoch, first: Seq, entries: tuple[Entry, ...]) -> None:
        """The log says, without any guarantee, that these entries were stored from position `first` on.

        Without entries: that it stands right before that, in this epoch or (0) another one.
        """
        for seq, entry in enumerate(entries, first):
            self.commit(epoch, Seq(seq), entry)
        if not entries and (epoch == 0 or epoch > self.epoch):
            self._want(_Need.LOAD)
        elif not entries and epoch == self.epoch and first != self.seq + 1:
            self._want(_Need.READ)
        self._acknowledge()

    def catch_up(self) -> None:
        """Something may have been missed."""
        self._want(_Need.READ)

    def appended(self, outcome: AppendOutcome) -> None:
        """The answer to `Append`."""
        self._busy = None
        batch = self._batch
        if batch is None:  # `Append` is only asked for a batch, which stays until it is answered
            raise AssertionError("no batch on its way")
        match outcome:
            case Appended(safe):
                self._commit_all(batch.base, batch.entries)
                open_entries = batch.entries if batch.members else ()  # as a rule a hint has answered them all
                seqs = {entry.command: Seq(batch.base + i) for i, entry in enumerate(open_entries, 1)}
                self._answer(seqs, stands=True, safe=safe)
            case Duplicates(found):
                pairs = zip(batch.entries, found, strict=True)
                self._timeout_tried = None  # a time-out of this batch was not stored either
                self._answer({entry.command: seq for entry, seq in pairs if seq is not None})
            case Conflict(missing):
                self._commit_all(batch.base, missing)
                if self.seq == batch.base:
                    self._want(_Need.READ)
                self._answer()
            case EpochChanged():
                self._want(_Need.LOAD)
                self._answer()
            case _:
                assert_never(outcome)

    def tail(self, outcome: ReadOutcome) -> None:
        """The answer to `Read`."""
        request, self._busy = self._busy, None
        if isinstance(outcome, Trimmed | EpochChanged):
            self._want(_Need.LOAD)
        elif isinstance(request, Read):
            self._commit_all(request.after, outcome)
            self._reconcile()

    def reloaded(self, loaded: Loaded | None) -> None:
        """The answer to `Load`; None: the room is forgotten."""
        self._busy = None
        if loaded is None:
            self._end()
        elif self._adopt(loaded):
            self._emit(Reset(self.state, self.epoch, self.seq))
            self._answer()

    def failed(self) -> None:
        """The request on its way was not answered in time, or its answer was lost."""
        request, self._busy = self._busy, None
        self._want(_Need.LOAD if isinstance(request, Load) else _Need.READ)

    def expire(self, before_ms: int) -> None:
        """Stop waiting for commands that came before this time. What is on its way to the log may still take effect."""
        late = [submission for submission in self._waiting() if submission.at_ms < before_ms]
        if late:
            self._queue = tuple(waiting for waiting in self._queue if waiting.at_ms >= before_ms)
            if self._batch is not None:
                self._keep(tuple(m for m in self._batch.members if m.submission.at_ms >= before_ms))
            self._outputs += tuple(Unanswered(submission.ticket) for submission in late)

    def commit(self, epoch: Epoch, seq: Seq, entry: Entry) -> None:
        """The one entrance for committed entries. Idempotent; what does not follow is asked of the log."""
        if epoch == self.epoch and seq == self.seq + 1:
            before = self.state
            foreseen = None if self._batch is None else self._batch.foreseen(before, seq, entry)
            after = self._rules.fold(before, entry, seq) if foreseen is None else foreseen
            self.seq, self.state = seq, after
            self._at_ms = entry.at_ms
            self._now_ms = max(self._now_ms, entry.at_ms)
            self._emit(Committed(before, after, epoch, seq, entry))
        elif epoch > self.epoch:
            self._want(_Need.LOAD)
        elif epoch == self.epoch and seq > self.seq:
            self._want(_Need.READ)

    # -- outputs -------------------------------------------------------------------------------------------------------

    def outputs(self) -> tuple[Output, ...]:
        """What has happened since the last call, in order."""
        outputs, self._outputs = self._outputs, ()
        return outputs

    def request(self) -> Request | None:
        """What to ask the log now, if anything; asked once, and to be answered before the next."""
        if self._busy is None and not self.gone:
            if self._need is _Need.NOTHING and self._batch is None:
                self._form()
            self._busy = self._choose()
            return self._busy
        return None

    @property
    def at_rest(self) -> bool:
        """Whether `request` would ask nothing, unless something happens or time passes."""
        if self._queue or self._batch is not None or self._busy is not None or self._need is not _Need.NOTHING:
            return False
        due = self.wake_ms
        return due is None or due > self._now_ms

    @property
    def backlog(self) -> int:
        """How many commands wait for their verdict."""
        return len(self._queue) + (0 if self._batch is None else len(self._batch.members))

    @property
    def wake_ms(self) -> int | None:
        """When `request` should be called even if nothing else happens."""
        return None if self.gone or self._timeout_tried == self.seq else self._due_in(self.state)

    # -- asking the log ------------------------------------------------------------------------------------------------

    def _want(self, need: _Need) -> None:
        self._need = max(self._need, need)

    def _choose(self) -> Request | None:
        need, self._need = self._need, _Need.NOTHING
        batch = self._batch
        if need is _Need.LOAD:
            return Load(self.epoch, self.seq, self.state, self._due_in(self.state), self._at_ms)
        if need is _Need.READ or (batch is not None and not batch.entries):
            return Read(self.epoch, self.seq)
        if batch is None:
            return None
        every, last = self._limits.snapshot_every, batch.base + len(batch.entries)
        snapshot = batch.states[-1] if batch.base // every != last // every else None
        hard = any(self._rules.is_hard(member.submission.command) for member in batch.members)
        news = self._rules.news_of(batch.states, batch.entries, self.epoch, batch.base)
        return Append(self.epoch, batch.base, batch.entries, snapshot, self._due_in(batch.states[-1]), hard, news)

    def _due_in(self, state: RoomState) -> int | None:
        self._due = due_in(self._rules, state, self._due)
        return self._due.at_ms

    # -- deciding ------------------------------------------------------------------------------------------------------

    def _form(self) -> None:
        """Decide what waits, one after another, on a scratch state."""
        entries: list[Entry] = []
        members: list[Member] = []
        states = [self.state]
        self._decide_timeout(entries, states)
        if not self._queue and not entries:
            return
        taken, self._queue = self._queue[: self._limits.batch], self._queue[self._limits.batch :]
        named = {entry.command for entry in entries}
        for submission in taken:
            if (seq := self._rules.recall(self.state, submission.key)) is not None:
                self._emit(self._verdict(submission, seq))
            elif submission.key in named:
                members.append(Member(submission))
            else:
                refusal = self._decide(submission, entries, states)
                members.append(Member(submission, refusal))
                if refusal is None:
                    named.add(submission.key)
        if entries or members:
            self._batch = Batch(self.seq, tuple(entries), tuple(members), tuple(states))

    def _decide(self, submission: Submission, entries: list[Entry], states: list[RoomState]) -> Exception | None:
        """Add an entry and the state after it; or give the refusal."""
        context = Context(self._now_ms, submission.seed, submission.connection)
        try:
            events = self._rules.decide(states[-1], submission.command, submission.actor, context)
            self._add(Entry(submission.key, self._now_ms, events), entries, states)
        except Exception as error:  # noqa: BLE001 - a refusal, or a fault: either way its author is told, others go on
            return error
        return None

    def _decide_timeout(self, entries: list[Entry], states: list[RoomState]) -> None:
        """What is due. The same name on all nodes at this position, so that it happens once."""
        try:
            due = self.wake_ms
            if due is not None and due <= self._now_ms:
                self._timeout_tried = self.seq
                events = self._rules.decide_timeout(self.state, Context(self._now_ms, self._seed))
                if events:
                    self._add(Entry(f":timeout:{self.seq}", self._now_ms, events), entries, states)
        except Exception as error:  # noqa: BLE001 - reported by the shell; commands must still be served
            self._emit(Faulted(error))

    def _add(self, entry: Entry, entries: list[Entry], states: list[RoomState]) -> None:
        after = self._rules.fold(states[-1], entry, self.seq + len(states))
        entries.append(entry)
        states.append(after)

    # -- answering -----------------------------------------------------------------------------------------------------

    def _emit(self, output: Output) -> None:
        self._outputs += (output,)

    def _waiting(self) -> tuple[Submission, ...]:
        members = () if self._batch is None else self._batch.members
        return tuple(member.submission for member in members) + self._queue

    def _keep(self, members: tuple[Member, ...]) -> None:
        if self._batch is not None:
            self._batch = replace(self._batch, members=members)

    def _commit_all(self, base: Seq, entries: tuple[Entry, ...]) -> None:
        for seq, entry in enumerate(entries, base + 1):
            if seq > self.seq:  # hints are ahead of the reply as a rule
                self.commit(self.epoch, Seq(seq), entry)

    def _verdict(self, submission: Submission, seq: int, *, safe: bool = False) -> Acknowledged:
        """What only has to be in the log is safe there; for what is hard, somebody must have confirmed it."""
        return Acknowledged(submission.ticket, Seq(seq), safe or not self._rules.is_hard(submission.command))

    def _acknowledge(self) -> None:
        """Acknowledge what the committed state holds, while the batch is still on its way.

        Not what is hard: whether it is safe comes with the answer of the log.
        """
        if self._batch is None:
            return
        state, is_hard, recall = self.state, self._rules.is_hard, self._rules.recall
        open_members, known, waiting = [], [], isinstance(self._busy, Append)
        for member in self._batch.members:
            submission, hard = member.submission, is_hard(member.submission.command)
            seq = recall(state, submission.key)
            if seq is None or (waiting and hard):
                open_members.append(member)
            else:
                known.append(Acknowledged(submission.ticket, Seq(seq), safe=not hard))
        if known:
            self._outputs += tuple(known)
            self._keep(tuple(open_members))

    def _reconcile(self) -> None:
        """After reading, with a batch that only had to be confirmed, or whose outcome is unknown."""
        if self._batch is None:
            return
        if self.seq > self._batch.base:
            self._answer()
        elif not self._batch.entries:
            self._answer(stands=True)

    def _answer(self, known: Mapping[str, Seq] | None = None, *, stands: bool = False, safe: bool = False) -> None:
        """The batch is over. `stands`: its refusals hold. Who cannot be answered is decided again, before others."""
        batch, self._batch = self._batch, None
        again: list[Submission] = []
        for submission, refusal in () if batch is None else ((m.submission, m.refusal) for m in batch.members):
            seq = (known or {}).get(submission.key, self._rules.recall(self.state, submission.key))
            if seq is not None:
                self._emit(self._verdict(submission, seq, safe=safe))
            elif stands and refusal is not None:
                self._emit(Refused(submission.ticket, refusal))
            else:
                again.append(submission)
        self._queue = (*again, *self._queue) if again else self._queue

    def _adopt(self, loaded: Loaded) -> bool:
        """Take over what the log has, unless hints have brought us further meanwhile."""
        last = loaded.snapshot_seq + len(loaded.entries)
        if loaded.epoch == self.epoch and last <= self.seq:
            return False
        state = loaded.snapshot
        for seq, entry in enumerate(loaded.entries, loaded.snapshot_seq + 1):
            state = self._rules.fold(state, entry, seq)
        self.epoch, self.seq, self.state = loaded.epoch, Seq(last), state
        self._at_ms = max((entry.at_ms for entry in loaded.entries), default=loaded.at_ms)
        self._now_ms = max(self._now_ms, self._at_ms)
        self._timeout_tried = None
        return True

    def _end(self) -> None:
        self.gone = True
        over = JoinRefused(DisconnectCode.SESSION_OVER)
        self._outputs += tuple(Refused(submission.ticket, over) for submission in self._waiting())
        self._queue, self._batch = (), None
