# SPDX-License-Identifier: Apache-2.0
"""How events about people change the state. All of them leave the state as it is when the person is unknown."""

from __future__ import annotations

from typing import Any, assert_never

from msgspec.structs import replace

from server.ids import LOBBY, ParticipantId
from server.rooms.events import (
    CameraChanged,
    ConnectionLost,
    HandLowered,
    HandRaised,
    HardMuteChanged,
    LeaveReason,
    MicrophoneChanged,
    ParticipantAdmitted,
    ParticipantJoined,
    ParticipantLeft,
    ParticipantReturned,
    PersonEvent,
    Renamed,
    RoleChanged,
    SeatBound,
    SeatEvent,
)
from server.rooms.rounds import without
from server.rooms.state import Participant, Past, Presence, RoomState, Seat


def evolve_seats(state: RoomState, event: SeatEvent) -> RoomState:
    """Who is in the room, and what binds them to a connection."""
    match event:
        case ParticipantJoined() | ParticipantAdmitted():
            return _put(state, event.participant)
        case ParticipantReturned():
            return _change(
                state,
                event.participant,
                presence=Presence.CONNECTED,
                microphone=event.microphone,
                camera=event.camera,
            )
        case ConnectionLost():
            return _lose(state, event)
        case ParticipantLeft():
            return _leave(state, event)
        case SeatBound():
            return _bind(state, event)
        case _:
            assert_never(event)


def evolve_person(state: RoomState, event: PersonEvent) -> RoomState:
    """What people show of themselves, and what is taken from them."""
    match event:
        case MicrophoneChanged():
            return _change(state, event.participant, microphone=event.on)
        case CameraChanged():
            return _change(state, event.participant, camera=event.on)
        case HardMuteChanged(on=True):
            return _change(state, event.participant, hard_muted=True, microphone=False)
        case HardMuteChanged():
            return _change(state, event.participant, hard_muted=False)
        case Renamed():
            return _change(state, event.participant, name=event.name)
        case RoleChanged():
            return _change(state, event.participant, role=event.role)
        case HandRaised() | HandLowered():
            return _hands(state, event)
        case _:
            assert_never(event)


def _hands(state: RoomState, event: HandRaised | HandLowered) -> RoomState:
    participant = event.hand.participant if isinstance(event, HandRaised) else event.participant
    others = tuple(hand for hand in state.hands if hand.participant != participant)
    return replace(state, hands=(*others, event.hand) if isinstance(event, HandRaised) else others)


def _put(state: RoomState, person: Participant) -> RoomState:
    return replace(state, participants={**state.participants, person.id: person})


def _change(state: RoomState, participant: ParticipantId, **changes: Any) -> RoomState:  # noqa: ANN401  fields differ
    person = state.participants.get(participant)
    return state if person is None else _put(state, replace(person, **changes))


def _bind(state: RoomState, event: SeatBound) -> RoomState:
    seat = Seat(
        connection=event.connection,
        generation=event.generation,
        resume_hash=event.resume_hash,
        agreement=event.agreement,
        shown_hash=event.shown_hash,
        claim_hash=event.claim_hash,
        reference=event.reference,
    )
    return replace(
        state,
        seats={**state.seats, event.participant: seat},
        past={other: past for other, past in state.past.items() if other != event.participant},
        used_tickets=state.used_tickets | {event.ticket} if event.ticket else state.used_tickets,
    )


def _lose(state: RoomState, event: ConnectionLost) -> RoomState:
    state = _change(state, event.participant, presence=Presence.LOST)
    seat = state.seats.get(event.participant)
    if seat is None:
        return state
    return replace(state, seats={**state.seats, event.participant: replace(seat, connection=None, lost_ms=event.at_ms)})


def _leave(state: RoomState, event: ParticipantLeft) -> RoomState:
    gone = event.participant
    person = state.participants.get(gone)
    past = state.past
    if person is not None:
        past = {**past, gone: Past(person.role, person.hard_muted, admitted=person.placement != LOBBY)}
    return replace(
        state,
        participants={other: person for other, person in state.participants.items() if other != gone},
        seats={other: seat for other, seat in state.seats.items() if other != gone},
        past=past,
        hands=tuple(hand for hand in state.hands if hand.participant != gone),
        rounds={where: without(round_, gone) for where, round_ in state.rounds.items()},
        help=tuple(request for request in state.help if request.participant != gone),
        spotlight=None if state.spotlight == gone else state.spotlight,
        removed=state.removed | {gone} if event.reason is LeaveReason.REMOVED else state.removed,
    )
