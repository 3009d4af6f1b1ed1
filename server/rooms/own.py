# SPDX-License-Identifier: Apache-2.0
"""What people do for themselves: microphone, camera, hand, name, chat, goal."""

from __future__ import annotations

from typing import assert_never

from server.errors import CommandRejected, RejectCode
from server.rooms.commands import (
    LowerHand,
    Own,
    RaiseHand,
    React,
    Rename,
    SendChat,
    SetCamera,
    SetGoal,
    SetMicrophone,
)
from server.rooms.context import Context, Events
from server.rooms.events import (
    CameraChanged,
    ChatSent,
    GoalSet,
    HandLowered,
    HandRaised,
    MicrophoneChanged,
    Reacted,
    Renamed,
)
from server.rooms.names import NO_TEXT, clean_name, clean_text
from server.rooms.people import require, require_moderation
from server.rooms.state import MAX_GOALS, ChatMessage, Goal, GoalVisibility, Hand, Participant, RoomState


def decide_own(state: RoomState, command: Own, actor: Participant, ctx: Context) -> Events:
    """Commands about oneself; some of them staff may also send for another person."""
    match command:
        case SetMicrophone() | SetCamera():
            return _device(command, actor)
        case RaiseHand():
            raised = any(hand.participant == actor.id for hand in state.hands)
            return () if raised else (HandRaised(Hand(actor.id, ctx.now_ms)),)
        case LowerHand():
            return _lower_hand(state, command, actor)
        case React():
            return (Reacted(actor.id, actor.placement, command.reaction),)
        case Rename():
            return _rename(state, command, actor)
        case SendChat():
            return _chat(state, command, actor, ctx)
        case SetGoal():
            return _goal(state, command, actor, ctx)
        case _:
            assert_never(command)


def _device(command: SetMicrophone | SetCamera, actor: Participant) -> Events:
    if isinstance(command, SetCamera):
        return () if actor.camera == command.on else (CameraChanged(actor.id, command.on, actor.id),)
    if command.on and actor.hard_muted:
        raise CommandRejected(RejectCode.HARD_MUTED)
    return () if actor.microphone == command.on else (MicrophoneChanged(actor.id, command.on, actor.id),)


def _lower_hand(state: RoomState, command: LowerHand, actor: Participant) -> Events:
    person = require(state, command.participant or actor.id)
    if person.id != actor.id:
        require_moderation(state, actor, person)
    raised = any(hand.participant == person.id for hand in state.hands)
    return (HandLowered(person.id, actor.id),) if raised else ()


def _rename(state: RoomState, command: Rename, actor: Participant) -> Events:
    person = require(state, command.participant or actor.id)
    if person.id != actor.id:
        require_moderation(state, actor, person)
    name = clean_name(command.name)
    if name is None:
        raise CommandRejected(RejectCode.NAME_INVALID)
    return () if name == person.name else (Renamed(person.id, name, actor.id),)


def _chat(state: RoomState, command: SendChat, actor: Participant, ctx: Context) -> Events:
    text = clean_text(command.text)
    if not text:
        raise CommandRejected(RejectCode.BAD_MESSAGE, detail=NO_TEXT)
    message = ChatMessage(state.next_message, actor.id, actor.name, actor.placement, text, ctx.now_ms)
    return (ChatSent(message),)


def _goal(state: RoomState, command: SetGoal, actor: Participant, ctx: Context) -> Events:
    """A goal that the group has seen is taken back from the group before it becomes private."""
    before = state.goals.get(actor.id)
    text = clean_text(command.text)
    if not text:
        return () if before is None else (GoalSet(actor.id, None, before.visibility),)
    if before is None and len(state.goals) >= MAX_GOALS:
        raise CommandRejected(RejectCode.LIMIT_REACHED)
    goal = Goal(text, command.visibility, ctx.now_ms)
    if before and (before.text, before.visibility) == (goal.text, goal.visibility):
        return ()
    written = GoalSet(actor.id, goal, goal.visibility)
    if before and before.visibility is GoalVisibility.GROUP and goal.visibility is GoalVisibility.PRIVATE:
        return (GoalSet(actor.id, None, GoalVisibility.GROUP), written)
    return (written,)
