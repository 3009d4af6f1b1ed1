# SPDX-License-Identifier: Apache-2.0
"""Ports: what the runner and the gateway need from the outside, with the guarantee each must give.

Every port has at least two adapters that pass the same contract suite.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NewType, Protocol

from msgspec import Struct

from server.ids import RoomId
from server.rooms.events import Event
from server.rooms.state import RoomState

Epoch = NewType("Epoch", int)
"""Which life of a room's log this is. A changed epoch means: resync, do not resume."""

Seq = NewType("Seq", int)
"""Position in a room's log: the number of entries committed so far in this epoch. 0: nothing yet."""


class Entry(Struct, frozen=True):
    """The smallest unit that is committed: all events of one command (or time-out), or none of them.

    `command` is `participant:command id`, or the name of a time-out; it makes a retry harmless.
    """

    command: str
    events: tuple[Event, ...]


class Stored(Struct, frozen=True, tag="stored"):
    """The entry was appended at this position."""

    seq: Seq


class Duplicate(Struct, frozen=True, tag="duplicate"):
    """An entry with this command is in the log already, at this position; nothing was appended for it."""

    seq: Seq


class Appended(Struct, frozen=True, tag="appended"):
    """One outcome for each entry of the batch, in order."""

    outcomes: tuple[Stored | Duplicate, ...]


class Conflict(Struct, frozen=True, tag="conflict"):
    """Somebody else appended first. Nothing of the batch was stored; `missing` follow `expected_seq`."""

    missing: tuple[Entry, ...]


class EpochChanged(Struct, frozen=True, tag="epoch_changed"):
    """This life of the room is over; load it anew. Nothing was stored."""

    epoch: Epoch


AppendOutcome = Appended | Conflict | EpochChanged


class Loaded(Struct, frozen=True):
    """A room as the log has it: a snapshot, and the entries after it."""

    epoch: Epoch
    snapshot_seq: Seq
    snapshot: RoomState
    entries: tuple[Entry, ...]


class LogUnavailable(Exception):
    """The log did not answer in time. Whether an append took effect is unknown: read before saying anything."""


Hint = Callable[[Epoch, Seq, Entry], None]
"""Called with an entry and its position soon after its commit; may come early, late, twice or never."""


class RoomLog(Protocol):
    """The only truth about rooms: one ordered, fenced, idempotent log for each room."""

    async def create(self, room: RoomId, snapshot: RoomState) -> Loaded:
        """Start the log of a room unless it exists; returns what is there after that. Atomic."""

    async def load(self, room: RoomId) -> Loaded | None:
        """The room as it stands, or None if it was never created or has been forgotten."""

    async def append(
        self,
        room: RoomId,
        epoch: Epoch,
        expected_seq: Seq,
        entries: tuple[Entry, ...],
        snapshot: RoomState | None = None,
    ) -> AppendOutcome:
        """Append all entries, or none.

        Entries whose command is in the log already are left out and reported as Duplicate. The rest is stored only
        if `epoch` and `expected_seq` are current. `snapshot` is the state after the batch, and replaces the stored one.
        Raises LogUnavailable when the outcome is unknown.
        """

    async def read(self, room: RoomId, epoch: Epoch, after: Seq) -> tuple[Entry, ...] | EpochChanged:
        """The entries after this position. Raises LogUnavailable."""

    def subscribe(self, room: RoomId, hint: Hint) -> Callable[[], None]:
        """Ask for hints; the returned function ends that."""

    async def forget(self, room: RoomId) -> None:
        """Erase everything about a room whose session is over."""


class Clock(Protocol):
    """Log time: monotonic, in integer milliseconds, shared by all nodes of a log."""

    def now_ms(self) -> int:
        """The present."""
