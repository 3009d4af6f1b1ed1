# SPDX-License-Identifier: Apache-2.0
"""How events about the session, its agenda and what people share change the state."""

from __future__ import annotations

from typing import Final, assert_never

from msgspec.structs import replace

from server.rooms import timers
from server.rooms.events import (
    AgendaEdited,
    AgendaEvent,
    ChatSent,
    GoalSet,
    HelpAcknowledged,
    HelpCleared,
    HelpRequested,
    PhaseExtended,
    PhaseStarted,
    Reacted,
    RoomOpened,
    SessionEnded,
    SessionEvent,
    SessionStarted,
    SettingsChanged,
    SharedEvent,
    SpotlightChanged,
    TimerOver,
    TimerScope,
    TimerWarned,
)
from server.rooms.phases import SessionStatus
from server.rooms.state import MAX_CHAT_MESSAGES, HelpRequest, RoomState

ENDED_AS: Final = {True: SessionStatus.DEBRIEF, False: SessionStatus.ENDED}


def evolve_session(state: RoomState, event: SessionEvent) -> RoomState:
    """The life of the session and its settings."""
    match event:
        case RoomOpened():
            return state
        case SettingsChanged():
            return replace(state, settings=event.settings)
        case SessionStarted():
            return replace(state, status=SessionStatus.LIVE)
        case SessionEnded():
            return replace(
                state,
                status=ENDED_AS[event.debrief],
                agenda=replace(state.agenda, current=None, timer=None),
                rounds={},
                hands=(),
                help=(),
                spotlight=None,
            )
        case _:
            assert_never(event)


def evolve_agenda(state: RoomState, event: AgendaEvent) -> RoomState:
    """The agenda, and the timers of phases and breakouts."""
    match event:
        case PhaseStarted():
            return replace(state, agenda=replace(state.agenda, current=event.phase, timer=event.timer), rounds={})
        case PhaseExtended():
            return replace(state, agenda=replace(state.agenda, timer=event.timer))
        case AgendaEdited():
            return replace(state, agenda=replace(state.agenda, version=event.version, phases=event.phases))
        case TimerWarned() | TimerOver():
            return _timer(state, event)
        case _:
            assert_never(event)


def _timer(state: RoomState, event: TimerWarned | TimerOver) -> RoomState:
    match event.scope:
        case TimerScope.PHASE:
            return replace(state, agenda=replace(state.agenda, timer=timers.after(state.agenda.timer, event)))
        case TimerScope.BREAKOUTS:
            return replace(state, breakouts=replace(state.breakouts, timer=timers.after(state.breakouts.timer, event)))
        case _:
            assert_never(event.scope)


def evolve_shared(state: RoomState, event: SharedEvent) -> RoomState:
    """Chat, goals, the spotlight, and calls for help."""
    match event:
        case Reacted():
            return state
        case ChatSent():
            return _chat(state, event)
        case GoalSet():
            return _goal(state, event)
        case SpotlightChanged():
            return replace(state, spotlight=event.participant)
        case HelpRequested():
            return replace(state, help=(*_help_without(state, event.request.participant), event.request))
        case HelpAcknowledged():
            return replace(state, help=tuple(_acknowledged(request, event) for request in state.help))
        case HelpCleared():
            return replace(state, help=_help_without(state, event.participant))
        case _:
            assert_never(event)


def _chat(state: RoomState, event: ChatSent) -> RoomState:
    message = event.message
    newest = (*state.chat.get(message.placement, ()), message)[-MAX_CHAT_MESSAGES:]
    return replace(state, chat={**state.chat, message.placement: newest}, next_message=message.id + 1)


def _goal(state: RoomState, event: GoalSet) -> RoomState:
    goals = {owner: goal for owner, goal in state.goals.items() if owner != event.participant}
    return replace(state, goals=goals if event.goal is None else {**goals, event.participant: event.goal})


def _help_without(state: RoomState, participant: str) -> tuple[HelpRequest, ...]:
    return tuple(request for request in state.help if request.participant != participant)


def _acknowledged(request: HelpRequest, event: HelpAcknowledged) -> HelpRequest:
    return replace(request, acknowledged_by=event.by) if request.participant == event.participant else request
