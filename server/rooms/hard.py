# SPDX-License-Identifier: Apache-2.0
"""Commands that should survive even the failover of the log right after them: they protect people, or move everyone."""

from __future__ import annotations

from typing import Final

from server.rooms import commands as c
from server.rooms.commands import Command
from server.rooms.platform import CloseSession

HARD: Final = frozenset(
    {
        c.Admit,
        c.CloseBreakouts,
        CloseSession,
        c.Deny,
        c.EndSession,
        c.NextPhase,
        c.OpenBreakouts,
        c.PreviousPhase,
        c.Remove,
        c.SetHardMute,
        c.SetRole,
        c.SkipPhase,
    }
)


def is_hard(command: Command) -> bool:
    """Whether this command is one of them; so is the seat of somebody who has just accepted an agreement."""
    if isinstance(command, c.TakeSeat):
        return command.agreement > 0 and not command.shown_hash
    return type(command) in HARD
