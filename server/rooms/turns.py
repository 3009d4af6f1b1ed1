# SPDX-License-Identifier: Apache-2.0
"""Rounds as people use them: taking, finishing, passing, postponing and giving turns.

Commands only say what becomes of a turn; who is next, and when the round is over, follows from that (`follow_up`).
A person whose connection is lost keeps their turn: the group can wait for them, or staff go on with the next.
"""

from __future__ import annotations

from typing import assert_never

from server.errors import CommandRejected, RejectCode
from server.ids import Placement
from server.rooms.commands import (
    ComeBackLater,
    EndRound,
    FinishTurn,
    GiveTurn,
    NextTurn,
    PassTurn,
    RoundCommand,
    StartRound,
    TakeTurn,
)
from server.rooms.context import Context, Events
from server.rooms.events import RoundEnded, RoundStarted, TurnEnded, TurnOutcome, TurnStarted
from server.rooms.people import people_in, require
from server.rooms.phases import RoundOrder, RoundPlan
from server.rooms.shuffle import shuffled
from server.rooms.state import Participant, Role, RoomState, Round


def new_round(state: RoomState, placement: Placement, plan: RoundPlan, ctx: Context) -> Round | None:
    """A round with everyone in this placement but moderators; None when nobody else is there."""
    people = tuple(person.id for person in people_in(state, placement) if person.role is not Role.MODERATOR)
    order = shuffled(people, ctx.seed) if plan.order is RoundOrder.RANDOM else people
    return Round(plan.order, plan.turn_ms, plan.no_cross_talk, order) if people else None


def decide_rounds(state: RoomState, command: RoundCommand, actor: Participant, ctx: Context) -> Events:
    """Everything is about the round of the actor's own placement; NOT_NOW when none is going on."""
    if isinstance(command, StartRound):
        return _start(state, command, actor, ctx)
    round_ = state.rounds.get(actor.placement)
    if round_ is None:
        raise CommandRejected(RejectCode.NOT_NOW)
    match command:
        case TakeTurn():
            return _take(round_, actor, ctx)
        case FinishTurn() | PassTurn() | ComeBackLater():
            return _end_own(round_, command, actor)
        case NextTurn():
            return _next(round_, actor)
        case GiveTurn():
            return _give(round_, require(state, command.participant), actor, ctx)
        case EndRound():
            return (RoundEnded(actor.placement),)
        case _:
            assert_never(command)


def _start(state: RoomState, command: StartRound, actor: Participant, ctx: Context) -> Events:
    plan = RoundPlan(command.order, command.turn_ms, command.no_cross_talk)
    round_ = new_round(state, actor.placement, plan, ctx)
    if round_ is None:
        raise CommandRejected(RejectCode.NOT_NOW)
    return (RoundStarted(actor.placement, round_),)


def _take(round_: Round, actor: Participant, ctx: Context) -> Events:
    if round_.current == actor.id:
        return ()
    if round_.current is not None:
        raise CommandRejected(RejectCode.NOT_YOUR_TURN)
    if actor.id not in (*round_.waiting, *round_.later):
        raise CommandRejected(RejectCode.NOT_NOW)
    return (TurnStarted(actor.placement, actor.id, ctx.now_ms),)


def _end_own(round_: Round, command: FinishTurn | PassTurn | ComeBackLater, actor: Participant) -> Events:
    """Finish one's turn; or pass or postpone it, now or before it comes."""
    match command:
        case FinishTurn():
            allowed, outcome = round_.current == actor.id, TurnOutcome.DONE
        case PassTurn():
            if actor.id in round_.done:
                return ()
            allowed, outcome = _is_to_come(round_, actor), TurnOutcome.PASSED
        case ComeBackLater():
            if actor.id in round_.later:
                return ()
            allowed, outcome = _is_to_come(round_, actor), TurnOutcome.LATER
        case _:
            assert_never(command)
    if not allowed:
        raise CommandRejected(RejectCode.NOT_YOUR_TURN)
    return (TurnEnded(actor.placement, actor.id, outcome),)


def _is_to_come(round_: Round, actor: Participant) -> bool:
    return actor.id in (round_.current, *round_.waiting, *round_.later)


def _next(round_: Round, actor: Participant) -> Events:
    if round_.current is None:
        raise CommandRejected(RejectCode.NOT_NOW)
    return (TurnEnded(actor.placement, round_.current, TurnOutcome.MOVED_ON),)


def _give(round_: Round, person: Participant, actor: Participant, ctx: Context) -> Events:
    """Also to somebody who has spoken, and to a moderator."""
    if person.placement != actor.placement:
        raise CommandRejected(RejectCode.NOT_HERE)
    if round_.current == person.id:
        return ()
    started = TurnStarted(actor.placement, person.id, ctx.now_ms)
    if round_.current is None:
        return (started,)
    return (TurnEnded(actor.placement, round_.current, TurnOutcome.MOVED_ON), started)
