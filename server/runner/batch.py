# SPDX-License-Identifier: Apache-2.0
"""Commands that were decided together and go to the log together. Pure."""

from __future__ import annotations

from msgspec import Struct

from server.ports import Entry, Seq
from server.rooms.state import RoomState
from server.runner.steps import Submission


class Member(Struct, frozen=True):
    """A command, and why it is refused if it is."""

    submission: Submission
    refusal: Exception | None = None


class Batch(Struct, frozen=True):
    """Decided on the state at `base`. Without entries, only the position has to be confirmed.

    `states`: the one at `base`, and the one after each entry.
    """

    base: Seq
    entries: tuple[Entry, ...]
    members: tuple[Member, ...]
    states: tuple[RoomState, ...]

    def foreseen(self, before: RoomState, seq: Seq, entry: Entry) -> RoomState | None:
        """The state after this very entry on this very state, if it was folded when it was decided."""
        place = seq - self.base
        if not 0 < place <= len(self.entries):
            return None
        same = self.entries[place - 1] is entry and self.states[place - 1] is before
        return self.states[place] if same else None
