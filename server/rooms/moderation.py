# SPDX-License-Identifier: Apache-2.0
"""What staff do for the safety of the group. Nothing here can turn a microphone or camera on."""

from __future__ import annotations

from typing import Final, assert_never

from server.breakouts.revisions import close_all
from server.errors import CommandRejected, RejectCode
from server.rooms.admission import left
from server.rooms.commands import (
    EndSession,
    Moderation,
    Mute,
    MuteEveryone,
    Remove,
    SetHardMute,
    SetRole,
    Spotlight,
    TurnCameraOff,
)
from server.rooms.context import Context, Events
from server.rooms.events import (
    CameraChanged,
    HardMuteChanged,
    LeaveReason,
    MicrophoneChanged,
    RoleChanged,
    SessionEnded,
    SpotlightChanged,
)
from server.rooms.evolve import fold
from server.rooms.evolve_session import ENDED_AS
from server.rooms.people import people_in, require, require_admitted, require_moderation, require_some
from server.rooms.phases import SESSION_TRANSITIONS, SessionStatus
from server.rooms.platform import CloseSession
from server.rooms.state import Participant, Presence, Role, RoomState

_WITH_DEBRIEF: Final = {status for status, next_ in SESSION_TRANSITIONS.items() if SessionStatus.DEBRIEF in next_}


def decide_moderation(state: RoomState, command: Moderation, actor: Participant, ctx: Context) -> Events:
    """Dispatch; leaders act on the people of the breakout they lead."""
    match command:
        case Mute() | MuteEveryone():
            return _mute(state, command, actor)
        case SetHardMute() | TurnCameraOff():
            return _restrict(state, command, actor)
        case Remove():
            return _remove(state, command, actor, ctx)
        case Spotlight():
            return _spotlight(state, command, actor)
        case SetRole():
            return _set_role(state, command, actor)
        case EndSession():
            return _end(state, command, actor, ctx)
        case _:
            assert_never(command)


def _mute(state: RoomState, command: Mute | MuteEveryone, actor: Participant) -> Events:
    if isinstance(command, MuteEveryone):
        people = [person for person in people_in(state, actor.placement) if person.role is Role.PARTICIPANT]
    else:
        people = require_some(state, command.participants)
    for person in people:
        require_moderation(state, actor, person)
    return tuple(MicrophoneChanged(person.id, on=False, by=actor.id) for person in people if person.microphone)


def _restrict(state: RoomState, command: SetHardMute | TurnCameraOff, actor: Participant) -> Events:
    person = require(state, command.participant)
    require_moderation(state, actor, person)
    if isinstance(command, SetHardMute):
        unchanged = person.hard_muted == command.on
        return () if unchanged else (HardMuteChanged(person.id, command.on, actor.id),)
    return (CameraChanged(person.id, on=False, by=actor.id),) if person.camera else ()


def _remove(state: RoomState, command: Remove, actor: Participant, ctx: Context) -> Events:
    """One leaves by oneself; to be removed is for good."""
    person = require(state, command.participant)
    if person.id == actor.id:
        raise CommandRejected(RejectCode.NOT_ALLOWED)
    return (left(person, LeaveReason.REMOVED, ctx),)


def _spotlight(state: RoomState, command: Spotlight, actor: Participant) -> Events:
    if command.participant is not None:
        require_admitted(state, command.participant)
    unchanged = state.spotlight == command.participant
    return () if unchanged else (SpotlightChanged(command.participant, actor.id),)


def _set_role(state: RoomState, command: SetRole, actor: Participant) -> Events:
    person = require_admitted(state, command.participant)
    if person.role is command.role:
        return ()
    moderators = [one for one in state.participants.values() if one.role is Role.MODERATOR]
    if moderators == [person]:
        raise CommandRejected(RejectCode.NOT_NOW)
    return (RoleChanged(person.id, command.role, actor.id),)


def _end(state: RoomState, command: EndSession, actor: Participant, ctx: Context) -> Events:
    """Everyone leaves in the same entry; for a debrief staff stay, brought back to main."""
    target = ENDED_AS[command.debrief]
    if target is state.status:
        return ()
    if target not in SESSION_TRANSITIONS[state.status]:
        raise CommandRejected(RejectCode.NOT_NOW)
    return _over(state, SessionEnded(command.debrief, ctx.now_ms, actor.id), ctx)


def close_session(state: RoomState, command: CloseSession, ctx: Context) -> Events:
    """As a moderator would; nothing when it is so already."""
    debrief = command.debrief and state.status in _WITH_DEBRIEF and _has_moderator(state)
    if ENDED_AS[debrief] not in SESSION_TRANSITIONS[state.status]:
        return ()
    if command.debrief and state.status is SessionStatus.DEBRIEF:
        return ()
    return _over(state, SessionEnded(debrief, ctx.now_ms, None, command.reason), ctx)


def _has_moderator(state: RoomState) -> bool:
    people = state.participants.values()
    return any(person.role is Role.MODERATOR and person.presence is Presence.CONNECTED for person in people)


def _over(state: RoomState, ended: SessionEnded, ctx: Context) -> Events:
    closing = close_all(state, ctx, by=ended.by)
    people = fold(state, closing).participants.values()
    leaving = [person for person in people if not ended.debrief or person.role is Role.PARTICIPANT]
    return (*closing, ended, *(left(person, LeaveReason.ENDED, ctx) for person in leaving))
