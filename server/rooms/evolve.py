# SPDX-License-Identifier: Apache-2.0
"""The one fold: live, on replay, on every other node; the browser mirrors it over its view."""

from __future__ import annotations

from functools import reduce
from typing import assert_never

from msgspec.structs import replace

from server.breakouts.evolve import evolve_breakouts
from server.ids import EVERYWHERE, MAIN
from server.rooms.context import Events
from server.rooms.events import Event, RoomOpened
from server.rooms.evolve_people import evolve_person, evolve_seats
from server.rooms.evolve_session import evolve_agenda, evolve_session, evolve_shared
from server.rooms.kinds import (
    AGENDA_EVENTS,
    BREAKOUT_EVENTS,
    PERSON_EVENTS,
    ROUND_EVENTS,
    SEAT_EVENTS,
    SESSION_EVENTS,
    SHARED_EVENTS,
)
from server.rooms.phases import SessionStatus
from server.rooms.rounds import evolve_rounds
from server.rooms.state import RoomState


def opened(event: RoomOpened) -> RoomState:
    """The state that a log begins with."""
    return RoomState(id=event.room, status=SessionStatus.WAITING, settings=event.settings, agenda=event.agenda)


def fold(state: RoomState, events: Events) -> RoomState:
    """The state after all these events."""
    return reduce(evolve, events, state)


def evolve(state: RoomState, event: Event) -> RoomState:
    """The state after this event. Total: it decides nothing, and never raises for a committed event."""
    if SEAT_EVENTS.has(event):
        return evolve_seats(state, event)
    if PERSON_EVENTS.has(event):
        return evolve_person(state, event)
    if SHARED_EVENTS.has(event):
        return evolve_shared(state, event)
    if ROUND_EVENTS.has(event):
        return evolve_rounds(state, event)
    if AGENDA_EVENTS.has(event):
        return evolve_agenda(state, event)
    if SESSION_EVENTS.has(event):
        return evolve_session(state, event)
    if BREAKOUT_EVENTS.has(event):
        return _without_old_chat(evolve_breakouts(state, event))
    assert_never(event)


def _without_old_chat(state: RoomState) -> RoomState:
    """The chat of a closed breakout is kept as long as undo can open it again."""
    rooms = (*state.breakouts.rooms, *(state.memo.rooms if state.memo else ()))
    kept = {MAIN, EVERYWHERE, *(room.id for room in rooms)}
    if state.chat.keys() <= kept:
        return state
    return replace(state, chat={where: messages for where, messages in state.chat.items() if where in kept})
