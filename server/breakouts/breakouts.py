# SPDX-License-Identifier: Apache-2.0
"""What commands about breakouts bring: dispatch to the module of each."""

from __future__ import annotations

from typing import assert_never

from server.breakouts.arranging import decide_arranging
from server.breakouts.lifecycle import BreakoutsStatus, require_possible, status_of
from server.breakouts.moving import decide_moving
from server.breakouts.opening import decide_open
from server.breakouts.revisions import close_all, require_space_to_announce, return_moves
from server.breakouts.undo import decide_undo
from server.errors import CommandRejected, RejectCode
from server.ids import ParticipantId
from server.rooms import commands as c
from server.rooms import timers
from server.rooms.context import Context, Events
from server.rooms.events import BreakoutsExtended, ChangeAnnounced
from server.rooms.state import PendingChange, PendingKind, RoomState


def decide_breakouts(state: RoomState, command: c.BreakoutCommand, actor: ParticipantId, ctx: Context) -> Events:
    """What a command about breakouts brings. The right to send it has been checked. Raises CommandRejected."""
    require_possible(state.breakouts, command)
    match command:
        case c.OpenBreakouts():
            return decide_open(state, command, actor, ctx)
        case c.CloseBreakouts():
            return _close(state, command, actor, ctx)
        case c.ExtendBreakouts():
            return _extend(state, command, actor, ctx)
        case c.UndoBreakouts():
            return decide_undo(state, actor, ctx)
        case c.Move() | c.Swap() | c.Visit():
            return decide_moving(state, command, actor, ctx)
        case c.MergeBreakouts() | c.SplitBreakout() | c.AddBreakout() | c.RenameBreakout() | c.CloseBreakout():
            return decide_arranging(state, command, actor, ctx)
    assert_never(command)


def _close(state: RoomState, command: c.CloseBreakouts, actor: ParticipantId, ctx: Context) -> Events:
    """Now, or after telling people. While they are being opened: call that off. Twice with lead time: nothing new."""
    status = status_of(state.breakouts)
    if not command.lead_ms or status is BreakoutsStatus.OPENING:
        return close_all(state, ctx, by=actor)
    if status is not BreakoutsStatus.OPEN:
        return ()
    require_space_to_announce(state)
    change = PendingChange(
        id=state.next_pending,
        kind=PendingKind.CLOSE,
        at_ms=ctx.now_ms + command.lead_ms,
        moves=return_moves(state),
    )
    return (ChangeAnnounced(change=change, by=actor),)


def _extend(state: RoomState, command: c.ExtendBreakouts, actor: ParticipantId, ctx: Context) -> Events:
    timer = state.breakouts.timer
    if timer is None:
        raise CommandRejected(RejectCode.NOT_NOW)
    return (BreakoutsExtended(timer=timers.extend(timer, ctx.now_ms, command.extra_ms), by=actor),)
