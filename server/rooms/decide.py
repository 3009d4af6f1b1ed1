# SPDX-License-Identifier: Apache-2.0
"""What becomes of a command: events, or a numbered refusal. Changes nothing."""

from __future__ import annotations

from typing import Final, assert_never

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
from server.rooms.kinds import Kinds
from server.rooms.moderation import close_session, decide_moderation
from server.rooms.own import decide_own
from server.rooms.platform import CloseSession
from server.rooms.roles import authorize
from server.rooms.state import Participant, RoomState
from server.rooms.support import decide_support
from server.rooms.turns import decide_rounds

_SYSTEM: Final = Kinds[c.SystemCommand](c.SystemCommand)
_LOBBY: Final = Kinds[c.Lobby](c.Lobby)
_OWN: Final = Kinds[c.Own](c.Own)
_MODERATION: Final = Kinds[c.Moderation](c.Moderation)
_AGENDA: Final = Kinds[c.AgendaCommand](c.AgendaCommand)
_ROUND: Final = Kinds[c.RoundCommand](c.RoundCommand)
_SUPPORT: Final = Kinds[c.SupportCommand](c.SupportCommand)
_PLAN: Final = Kinds[c.PlanCommand](c.PlanCommand)
_BREAKOUT: Final = Kinds[c.BreakoutCommand](c.BreakoutCommand)


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
    if _SYSTEM.has(command):
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
    if _LOBBY.has(command):
        return decide_lobby(state, command, actor, ctx)
    if _OWN.has(command):
        return decide_own(state, command, actor, ctx)
    if _MODERATION.has(command):
        return decide_moderation(state, command, actor, ctx)
    if _AGENDA.has(command):
        return decide_agenda(state, command, actor, ctx)
    if _ROUND.has(command):
        return decide_rounds(state, command, actor, ctx)
    if _SUPPORT.has(command):
        return decide_support(state, command, actor, ctx)
    return _breakouts(state, command, actor.id, ctx)


def _breakouts(
    state: RoomState, command: c.PlanCommand | c.BreakoutCommand, actor: ParticipantId, ctx: Context
) -> Events:
    if _PLAN.has(command):
        return decide_plan(state, command, actor, ctx)
    if _BREAKOUT.has(command):
        return decide_breakouts(state, command, actor, ctx)
    assert_never(command)
