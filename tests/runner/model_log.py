# SPDX-License-Identifier: Apache-2.0
"""The log of the model check: the port's promise as plain values, with every state that ever was."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

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
from server.rooms.state import RoomState
from server.runner.steps import Append, Load, Read, Request, Rules
from tests.runner.toys import TOY


class AppendReply(Struct, frozen=True):
    """The answer to `Append`."""

    outcome: AppendOutcome


class ReadReply(Struct, frozen=True):
    """The answer to `Read`."""

    outcome: ReadOutcome


Reply = AppendReply | ReadReply | Loaded


class Faults(Struct, frozen=True):
    """What the log leaves out, to see the check turn red."""

    epoch: bool = False
    position: bool = False
    commands: bool = False


class Life(Struct, frozen=True):
    """One epoch. `states[n]` is the truth at position n; `trimmed`: up to where only the snapshot is left."""

    epoch: Epoch
    states: tuple[RoomState, ...]
    entries: tuple[Entry, ...] = ()
    trimmed: int = 0
    snapshot_seq: int = 0

    @property
    def seq(self) -> Seq:
        """How many entries there are."""
        return Seq(len(self.entries))

    def where(self, key: str) -> int | None:
        """Where this command is; for one from before this epoch, where it was."""
        seqs = [seq for seq, entry in enumerate(self.entries, 1) if entry.command == key]
        return seqs[0] if seqs else TOY.recall(self.states[0], key)

    def began_with(self, key: str) -> bool:
        """Whether this command is from before this epoch."""
        return TOY.recall(self.states[0], key) is not None

    def stored(self, entry: Entry, rules: Rules) -> Life:
        """With one more entry."""
        after = rules.fold(self.states[-1], entry, len(self.entries) + 1)
        return replace(self, states=(*self.states, after), entries=(*self.entries, entry))


def execute(life: Life, request: Request, rules: Rules, faults: Faults) -> tuple[Life, Reply]:
    """What the log does, at once, and what it answers."""
    match request:
        case Append():
            life, outcome = _append(life, request, rules, faults)
            return life, AppendReply(outcome)
        case Read(epoch, after):
            if epoch != life.epoch:
                return life, ReadReply(EpochChanged(life.epoch))
            return life, ReadReply(Trimmed() if after < life.trimmed else life.entries[after:])
        case Load():
            at = life.snapshot_seq
            at_ms = life.entries[at - 1].at_ms if at else 0
            return life, Loaded(life.epoch, Seq(at), life.states[at], life.entries[at:], at_ms)


def _append(life: Life, request: Append, rules: Rules, faults: Faults) -> tuple[Life, AppendOutcome]:
    if request.epoch != life.epoch and not faults.epoch:
        return life, EpochChanged(life.epoch)
    expected = request.expected_seq
    if expected != life.seq and not faults.position:
        return life, Conflict(life.entries[expected:] if life.trimmed <= expected else ())
    known = {entry.command: Seq(seq) for seq, entry in enumerate(life.entries, 1)}
    seqs = tuple(known.get(entry.command) for entry in request.entries)
    if any(seq is not None for seq in seqs) and not faults.commands:
        return life, Duplicates(seqs)
    for entry in request.entries:
        life = life.stored(entry, rules)
    if request.snapshot is not None:
        assert request.snapshot == life.states[-1] or faults != Faults(), "snapshot is the state at its position"
        life = replace(life, snapshot_seq=int(life.seq))
    return life, Appended()
