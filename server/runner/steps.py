# SPDX-License-Identifier: Apache-2.0
"""What goes into the commit pipeline and what comes out of it. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from msgspec import Struct

from server.ids import CommandId, ConnectionId, ParticipantId
from server.ports import Entry, Epoch, Seq
from server.rooms.commands import Command
from server.rooms.context import Context, Events
from server.rooms.events import Event
from server.rooms.state import RoomState


def the_whole(state: RoomState) -> tuple[object, ...]:
    """Everything of a state may matter."""
    return (state,)


def never_hard(command: Command) -> bool:
    """No command needs more than to be in the log."""
    del command
    return False


def nobody_attends(state: RoomState, entry: Entry) -> RoomState:
    """Who was there is not kept."""
    del entry
    return state


def no_news(before: RoomState, after: RoomState, entry: Entry, epoch: int, seq: int) -> tuple[bytes, ...]:
    """Nobody outside is told of anything."""
    del before, after, entry, epoch, seq
    return ()


class Rules(Struct, frozen=True):
    """The pure core, as the pipeline needs it; `decide` raises a `HoldspaceError` to refuse.

    `is_hard`: whether this command should survive a failover of the log that comes right after it. `attend`: the state
    after the events of an entry, if it has any, with who was there and when. `news`: what the outside shall be told of
    an entry, from the states before and after it, and its epoch and position. `timed`: all of a state that
    `next_timeout` looks at.
    """

    decide: Callable[[RoomState, Command, ParticipantId | None, Context], Events]
    evolve: Callable[[RoomState, Event], RoomState]
    next_timeout: Callable[[RoomState], int | None]
    decide_timeout: Callable[[RoomState, Context], Events]
    remember: Callable[[RoomState, str, int], RoomState]
    recall: Callable[[RoomState, str], int | None]
    is_hard: Callable[[Command], bool] = never_hard
    attend: Callable[[RoomState, Entry], RoomState] = nobody_attends
    news: Callable[[RoomState, RoomState, Entry, int, int], tuple[bytes, ...]] = no_news
    timed: Callable[[RoomState], tuple[object, ...]] = the_whole

    def fold(self, state: RoomState, entry: Entry, seq: int) -> RoomState:
        """The state after this entry, which also remembers the entry's command."""
        if entry.events:
            for event in entry.events:
                state = self.evolve(state, event)
            state = self.attend(state, entry)
        return self.remember(state, entry.command, seq)

    def news_of(
        self, states: tuple[RoomState, ...], entries: tuple[Entry, ...], epoch: int, base: int
    ) -> tuple[bytes, ...]:
        """The news of entries after `base`, the same whenever they are sent again. `states`: before and after each."""
        if self.news is no_news:
            return ()
        steps = enumerate(zip(states, states[1:], entries, strict=False), base + 1)
        return tuple(body for seq, step in steps for body in self.news(*step, epoch, seq))


class Limits(Struct, frozen=True):
    """Entries in one append at most; and the state is stored with every append that passes a multiple of a number."""

    batch: int = 64
    snapshot_every: int = 64


def key_of(actor: ParticipantId | None, command_id: CommandId) -> str:
    """The key of a command in the log. Whatever characters ids have, nobody can make the key of somebody else."""
    name = actor or ""
    return f"{len(name)}:{name}:{command_id}"


class Submission(Struct, frozen=True):
    """A command that waits for its verdict. `key` makes a retry harmless; `at_ms` tells since when it waits.

    `connection`: through which it came, if through any; whose seat that is may change while it waits.
    """

    ticket: int
    key: str
    command: Command
    actor: ParticipantId | None
    seed: int = 0
    at_ms: int = 0
    connection: ConnectionId | None = None


# -- what the shell shows, in this order -------------------------------------------------------------------------------


@final
class Committed(Struct, frozen=True):
    """This entry is in the log, at the next position; `before` and `after` are the states around it."""

    before: RoomState
    after: RoomState
    epoch: Epoch
    seq: Seq
    entry: Entry


class Reset(Struct, frozen=True):
    """The state was loaded anew; what was shown before may be another history."""

    state: RoomState
    epoch: Epoch
    seq: Seq


@final
class Acknowledged(Struct, frozen=True):
    """The command is in the log, at this position. `safe`: nothing that is expected to fail alone can undo it."""

    ticket: int
    seq: Seq
    safe: bool = True


class Refused(Struct, frozen=True):
    """The command had no effect; `error` is for its author."""

    ticket: int
    error: Exception


class Unanswered(Struct, frozen=True):
    """The log has not answered for too long; whether the command takes effect is open, its author may send it again."""

    ticket: int


class Faulted(Struct, frozen=True):
    """A time-out could not be decided: a fault of the core, which must not stop the room."""

    error: Exception


Output = Committed | Reset | Acknowledged | Refused | Unanswered | Faulted


# -- what the shell asks the log ---------------------------------------------------------------------------------------


class Append(Struct, frozen=True):
    """Append these entries; answer with `appended`, or `failed`. `wake_ms` and so on: as in `RoomLog.append`."""

    epoch: Epoch
    expected_seq: Seq
    entries: tuple[Entry, ...]
    snapshot: RoomState | None
    wake_ms: int | None = None
    hard: bool = False
    news: tuple[bytes, ...] = ()


class Read(Struct, frozen=True):
    """Read what follows this position; answer with `tail`, or `failed`."""

    epoch: Epoch
    after: Seq


class Load(Struct, frozen=True):
    """Load the room anew, or begin a new life from this state if the log has lost it; answer with `reloaded`, `failed`.

    `wake_ms` and `at_ms`: as in `RoomLog.restore`.
    """

    epoch: Epoch
    seq: Seq
    state: RoomState
    wake_ms: int | None = None
    at_ms: int = 0


Request = Append | Read | Load
