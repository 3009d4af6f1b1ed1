# SPDX-License-Identifier: Apache-2.0
"""Who may see an event. The same rules, told for the whole state, are in `view`.

For everyone whose `Viewer` an event leaves as it was: if they are in its audience, folding it into their view gives
their view of the new state; if not, their view has not changed. Whoever's `Viewer` has changed gets a new snapshot.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final, assert_never

from msgspec import Struct

from server.ids import EVERYWHERE, LOBBY, ParticipantId, Placement
from server.rooms import events as e
from server.rooms.events import Event
from server.rooms.kinds import (
    AGENDA_EVENTS,
    BREAKOUT_EVENTS,
    PERSON_EVENTS,
    ROUND_EVENTS,
    SEAT_EVENTS,
    SESSION_EVENTS,
    SHARED_EVENTS,
)
from server.rooms.state import GoalVisibility, Role, RoomView


class Viewer(Struct, frozen=True):
    """All of a person that decides what they may see."""

    id: ParticipantId
    moderator: bool
    placement: Placement


def viewer_of(state: RoomView, participant: ParticipantId) -> Viewer | None:
    """The viewer that this person is; None without a seat."""
    person = state.participants.get(participant)
    return None if person is None else Viewer(person.id, person.role is Role.MODERATOR, person.placement)


class Scope(Enum):
    """The people an audience is made of, before the one `person` who is added to it."""

    NOBODY = auto()
    MODERATORS = auto()
    PLACEMENT = auto()
    """Everyone in `placement`."""
    PLACEMENT_AND_MODERATORS = auto()
    ADMITTED = auto()
    EVERYONE = auto()
    """Also the lobby."""


class Audience(Struct, frozen=True, gc=False):
    """A set of viewers, told by a rule; equal audiences hear the same bytes."""

    scope: Scope
    placement: Placement | None = None
    person: ParticipantId | None = None

    def includes(self, viewer: Viewer) -> bool:
        """Whether this viewer receives the event."""
        if viewer.id == self.person:
            return True
        match self.scope:
            case Scope.NOBODY:
                return False
            case Scope.MODERATORS:
                return viewer.moderator
            case Scope.PLACEMENT:
                return viewer.placement == self.placement
            case Scope.PLACEMENT_AND_MODERATORS:
                return viewer.moderator or viewer.placement == self.placement
            case Scope.ADMITTED:
                return viewer.placement != LOBBY
            case Scope.EVERYONE:
                return True
            case _:
                assert_never(self.scope)


NOBODY: Final = Audience(Scope.NOBODY)
MODERATORS: Final = Audience(Scope.MODERATORS)
ADMITTED: Final = Audience(Scope.ADMITTED)
EVERYONE: Final = Audience(Scope.EVERYONE)


def audience_of(event: Event, state_after: RoomView) -> Audience:
    """Who receives this event; `state_after` is the state that it leaves."""
    if SESSION_EVENTS.has(event):
        return NOBODY if isinstance(event, e.RoomOpened) else EVERYONE
    if SEAT_EVENTS.has(event):
        return _of_seat(event, state_after)
    if PERSON_EVENTS.has(event):
        return _of_person(event, state_after)
    if SHARED_EVENTS.has(event):
        return _of_shared(event)
    if AGENDA_EVENTS.has(event):
        return ADMITTED
    if ROUND_EVENTS.has(event):
        return Audience(Scope.PLACEMENT_AND_MODERATORS, event.placement)
    if BREAKOUT_EVENTS.has(event):
        return MODERATORS if isinstance(event, e.PlanChanged) else ADMITTED
    assert_never(event)


def _about(participant: ParticipantId, placement: Placement) -> Audience:
    """People in the lobby are seen by moderators and themselves alone."""
    return Audience(Scope.MODERATORS, person=participant) if placement == LOBBY else ADMITTED


def _about_known(participant: ParticipantId, state: RoomView) -> Audience:
    person = state.participants.get(participant)
    return NOBODY if person is None else _about(participant, person.placement)


def _of_seat(event: e.SeatEvent, state: RoomView) -> Audience:
    match event:
        case e.ParticipantJoined() | e.ParticipantAdmitted():
            return _about(event.participant.id, event.participant.placement)
        case e.ParticipantReturned() | e.ConnectionLost():
            return _about_known(event.participant, state)
        case e.ParticipantLeft():
            return _about(event.participant, event.placement)
        case e.SeatBound():
            return NOBODY
        case _:
            assert_never(event)


def _of_person(event: e.PersonEvent, state: RoomView) -> Audience:
    if isinstance(event, e.HandRaised):
        return ADMITTED
    return _about_known(event.participant, state)


def _of_shared(event: e.SharedEvent) -> Audience:
    match event:
        case e.Reacted():
            return Audience(Scope.PLACEMENT, event.placement)
        case e.ChatSent(message=message):
            return ADMITTED if message.placement == EVERYWHERE else Audience(Scope.PLACEMENT, message.placement)
        case e.GoalSet(visibility=GoalVisibility.PRIVATE):
            return Audience(Scope.NOBODY, person=event.participant)
        case e.GoalSet() | e.SpotlightChanged():
            return ADMITTED
        case e.HelpRequested():
            return Audience(Scope.MODERATORS, person=event.request.participant)
        case e.HelpAcknowledged() | e.HelpCleared():
            return Audience(Scope.MODERATORS, person=event.participant)
        case _:
            assert_never(event)
