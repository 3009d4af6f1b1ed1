# SPDX-License-Identifier: Apache-2.0
"""What becomes of a command: events, or a numbered refusal. Changes nothing."""

from __future__ import annotations

from typing import assert_never

from server.breakouts.breakouts import decide_breakouts
from server.breakouts.plan import decide_plan
from server.errors import CommandRejected, RejectCode
from server.ids import ParticipantId
from server.rooms import commands as c
from server.rooms.admission import decide_lobby, decide_seats
from server.rooms.agenda import decide_agenda
from server.rooms.commands import Command, RoomCommand
from server.rooms.context import Context, Events
from server.rooms.evolve import fold
from server.rooms.follow_up import follow_ups
from server.rooms.moderation import close_session, decide_moderation
from server.rooms.own import decide_own
from server.rooms.platform import CloseSession
from server.rooms.roles import authorize
from server.rooms.state import Participant, RoomState
from server.rooms.support import decide_support
from server.rooms.turns import decide_rounds


def decide(state: RoomState, command: Command, actor: ParticipantId | None, ctx: Context) -> Events:
    """The events of this command and of all that follows from it; none when the wish is already fulfilled.

    `actor` None: the system. Raises CommandRejected, and JoinRefused for TakeSeat. BUSY: the connection that it came
    through does not have the seat any more; the same client may say it again through the next one.
    """
    events = _decide(state, command, actor, ctx)
    return with_follow_ups(state, events, ctx)


def with_follow_ups(state: RoomState, events: Events, ctx: Context) -> Events:
    """The events, and what they bring with them."""
    return (*events, *follow_ups(state, fold(state, events), ctx)) if events else ()


def _decide(state: RoomState, command: Command, actor: ParticipantId | None, ctx: Context) -> Events:
    if isinstance(command, c.SystemCommand):
        if actor is not None:
            raise CommandRejected(RejectCode.NOT_ALLOWED)
        if isinstance(command, CloseSession):
            return close_session(state, command, ctx)
        return decide_seats(state, command, ctx)
    if actor is None:
        raise CommandRejected(RejectCode.NOT_ALLOWED)
    person = authorize(state, command, actor)
    if ctx.connection is not None and ctx.connection != state.seats[actor].connection:
        raise CommandRejected(RejectCode.BUSY)
    return _dispatch(state, command, person, ctx)


def _dispatch(state: RoomState, command: RoomCommand, actor: Participant, ctx: Context) -> Events:
    if isinstance(command, c.Lobby):
        return decide_lobby(state, command, actor, ctx)
    if isinstance(command, c.Own):
        return decide_own(state, command, actor, ctx)
    if isinstance(command, c.Moderation):
        return decide_moderation(state, command, actor, ctx)
    if isinstance(command, c.AgendaCommand):
        return decide_agenda(state, command, actor, ctx)
    if isinstance(command, c.RoundCommand):
        return decide_rounds(state, command, actor, ctx)
    if isinstance(command, c.SupportCommand):
        return decide_support(state, command, actor, ctx)
    if isinstance(command, c.PlanCommand | c.BreakoutCommand):
        return _breakouts(state, command, actor, ctx)
    assert_never(command)


def _breakouts(
    state: RoomState, command: c.PlanCommand | c.BreakoutCommand, actor: Participant, ctx: Context
) -> Events:
    if isinstance(command, c.PlanCommand):
        return decide_plan(state, command, actor.id, ctx)
    return decide_breakouts(state, command, actor.id, ctx)
