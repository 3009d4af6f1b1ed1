# SPDX-License-Identifier: Apache-2.0
"""The agenda: going through the phases, changing them live."""

from __future__ import annotations

from typing import Final, assert_never

from msgspec.structs import replace

from server.breakouts.breakouts import decide_breakouts
from server.errors import CommandRejected, RejectCode
from server.ids import MAIN
from server.rooms import timers
from server.rooms.commands import (
    AgendaCommand,
    CloseBreakouts,
    EditAgenda,
    ExtendPhase,
    NextPhase,
    PreviousPhase,
    SkipPhase,
)
from server.rooms.context import Context, Events
from server.rooms.events import AgendaEdited, PhaseExtended, PhaseStarted, RoundStarted, SessionStarted
from server.rooms.evolve import fold
from server.rooms.names import clean_text
from server.rooms.phases import Phase, SessionStatus
from server.rooms.state import Agenda, Participant, RoomState
from server.rooms.turns import new_round

MAX_TITLE: Final = 120
MAX_PROMPT: Final = 2_000
MAX_PHASE_ID: Final = 64
MAX_PHASE_MS: Final = 4 * 3600 * 1000


def decide_agenda(state: RoomState, command: AgendaCommand, actor: Participant, ctx: Context) -> Events:
    """Dispatch. No phase begins or ends by itself."""
    match command:
        case NextPhase():
            return _go(state, _next(state.agenda), actor, ctx)
        case PreviousPhase():
            return _go(state, _previous(state.agenda), actor, ctx)
        case SkipPhase():
            return _skip(state, command, actor)
        case ExtendPhase():
            if state.agenda.timer is None:
                raise CommandRejected(RejectCode.NOT_NOW)
            return (PhaseExtended(timers.extend(state.agenda.timer, ctx.now_ms, command.extra_ms), actor.id),)
        case EditAgenda():
            return _edit(state, command, actor)
        case _:
            assert_never(command)


def close_breakouts(state: RoomState, actor: Participant, ctx: Context) -> Events:
    """What it takes to have everyone back in main and nothing announced."""
    if not state.breakouts.rooms and not state.breakouts.pending:
        return ()
    return decide_breakouts(state, CloseBreakouts(), actor.id, ctx)


def _position(agenda: Agenda) -> int:
    """Index of the current phase; -1 before the first."""
    return next((index for index, phase in enumerate(agenda.phases) if phase.id == agenda.current), -1)


def _next(agenda: Agenda) -> Phase | None:
    return next((phase for phase in agenda.phases[_position(agenda) + 1 :] if not phase.skipped), None)


def _previous(agenda: Agenda) -> Phase | None:
    before = agenda.phases[: max(_position(agenda), 0)]
    return next((phase for phase in reversed(before) if not phase.skipped), None)


def _go(state: RoomState, phase: Phase | None, actor: Participant, ctx: Context) -> Events:
    """Everyone is brought to main; then the phase begins, and with it its round."""
    if phase is None:
        raise CommandRejected(RejectCode.NOT_NOW)
    closing = close_breakouts(state, actor, ctx)
    began = () if state.status is SessionStatus.LIVE else (SessionStarted(ctx.now_ms, actor.id),)
    started = PhaseStarted(phase.id, timers.start(ctx.now_ms, phase.duration_ms), actor.id)
    events: Events = (*closing, *began, started)
    round_ = phase.round and new_round(fold(state, events), MAIN, phase.round, ctx)
    return (*events, RoundStarted(MAIN, round_)) if round_ else events


def _skip(state: RoomState, command: SkipPhase, actor: Participant) -> Events:
    phases = {phase.id: phase for phase in state.agenda.phases}
    phase = phases.get(command.phase)
    if phase is None:
        raise CommandRejected(RejectCode.NOT_HERE)
    if phase not in state.agenda.phases[_position(state.agenda) + 1 :]:
        raise CommandRejected(RejectCode.NOT_NOW)
    if phase.skipped == command.skipped:
        return ()
    phases[phase.id] = replace(phase, skipped=command.skipped)
    return (AgendaEdited(state.agenda.version + 1, tuple(phases.values()), actor.id),)


_BOUNDS: Final = (
    f"phases: id of 1 to {MAX_PHASE_ID}, title of 1 to {MAX_TITLE}, prompt of up to {MAX_PROMPT} characters, "
    f"duration_ms and turn_ms from 0 to {MAX_PHASE_MS}"
)


def _edit(state: RoomState, command: EditAgenda, actor: Participant) -> Events:
    if command.version != state.agenda.version:
        raise CommandRejected(RejectCode.STALE_VERSION)
    phases = tuple(_clean(phase) for phase in command.phases)
    ids = {phase.id for phase in phases}
    if len(ids) != len(phases):
        raise CommandRejected(RejectCode.BAD_MESSAGE, detail="phases: two have the same id")
    if state.agenda.current is not None and state.agenda.current not in ids:
        raise CommandRejected(RejectCode.NOT_NOW)
    if phases == state.agenda.phases:
        return ()
    return (AgendaEdited(state.agenda.version + 1, phases, actor.id),)


def _clean(phase: Phase) -> Phase:
    """The phase as it is stored; BAD_MESSAGE when it is out of bounds."""
    clean = replace(phase, title=clean_text(phase.title), prompt=clean_text(phase.prompt))
    turn_ms = phase.round.turn_ms if phase.round else 0
    within = (
        1 <= len(clean.id) <= MAX_PHASE_ID
        and 1 <= len(clean.title) <= MAX_TITLE
        and len(clean.prompt) <= MAX_PROMPT
        and 0 <= clean.duration_ms <= MAX_PHASE_MS
        and 0 <= turn_ms <= MAX_PHASE_MS
    )
    if not within:
        raise CommandRejected(RejectCode.BAD_MESSAGE, detail=_BOUNDS)
    return clean
