# SPDX-License-Identifier: Apache-2.0
"""Seats: taking, losing and leaving one; the lobby, the lock and the capacity."""

from __future__ import annotations

from typing import assert_never

from msgspec.structs import replace

from server.breakouts.assignment import late_placement
from server.errors import CommandRejected, DisconnectCode, JoinRefused, RejectCode
from server.ids import LOBBY, MAIN, NodeId, ParticipantId, Placement, node_of
from server.rooms.commands import (
    Admit,
    Deny,
    Leave,
    Lobby,
    LoseConnection,
    LoseConnections,
    SeatCommand,
    SetAutoAdmit,
    SetLocked,
    TakeSeat,
)
from server.rooms.context import Context, Events
from server.rooms.events import (
    ConnectionLost,
    Event,
    LeaveReason,
    ParticipantAdmitted,
    ParticipantJoined,
    ParticipantLeft,
    ParticipantReturned,
    SeatBound,
    SettingsChanged,
)
from server.rooms.evolve import evolve
from server.rooms.names import clean_name
from server.rooms.people import people_in, require, require_some
from server.rooms.phases import SessionStatus
from server.rooms.state import MAX_EVER, MAX_PARTICIPANTS, Participant, Past, Role, RoomState


def decide_seats(state: RoomState, command: SeatCommand, ctx: Context) -> Events:
    """Connections come and go. Raises JoinRefused."""
    match command:
        case TakeSeat():
            return take_seat(state, command, ctx)
        case LoseConnection():
            return lose_connection(state, command, ctx)
        case LoseConnections():
            return lose_connections(state, command, ctx)
        case _:
            assert_never(command)


def take_seat(state: RoomState, command: TakeSeat, ctx: Context) -> Events:
    """The first seat of a person, or the one they have bound to a newer connection.

    Raises JoinRefused with the code that tells the person why.
    """
    _refuse_outsiders(state, command)
    person = state.participants.get(command.participant)
    return _first_seat(state, command, ctx) if person is None else _same_seat(state, command, person, ctx)


def lose_connection(state: RoomState, command: LoseConnection, ctx: Context) -> Events:
    """The seat is kept for a while, unless it belongs to a newer connection already."""
    seat = state.seats.get(command.participant)
    if seat is None or seat.connection != command.connection:
        return ()
    return (ConnectionLost(command.participant, ctx.now_ms),)


def lose_connections(state: RoomState, command: LoseConnections, ctx: Context) -> Events:
    """All seats that speak through this node are kept for a while; none that has moved on to another."""
    return tuple(ConnectionLost(participant, ctx.now_ms) for participant in seated_at(state, command.node))


def seated_at(state: RoomState, node: NodeId) -> tuple[ParticipantId, ...]:
    """Who speaks through this node."""
    connections = ((participant, seat.connection) for participant, seat in state.seats.items())
    return tuple(who for who, connection in connections if connection is not None and node_of(connection) == node)


def decide_lobby(state: RoomState, command: Lobby, actor: Participant, ctx: Context) -> Events:
    """Letting in, refusing, leaving."""
    match command:
        case Admit():
            people = require_some(state, command.participants)
            return _admit(state, [person for person in people if person.placement == LOBBY], actor)
        case Deny():
            return _deny(state, command, ctx)
        case SetLocked():
            return _settings(state, actor, locked=command.locked)
        case SetAutoAdmit(auto_admit=True):
            changed = _settings(state, actor, auto_admit=True)
            return (*changed, *_admit(state, list(people_in(state, LOBBY)), actor))
        case SetAutoAdmit():
            return _settings(state, actor, auto_admit=False)
        case Leave():
            return (left(actor, LeaveReason.LEFT, ctx),)
        case _:
            assert_never(command)


def left(person: Participant, reason: LeaveReason, ctx: Context) -> ParticipantLeft:
    """The event of somebody's leaving from where they are."""
    return ParticipantLeft(person.id, person.placement, reason, ctx.now_ms)


def _refuse_outsiders(state: RoomState, command: TakeSeat) -> None:
    if command.participant in state.removed:
        raise JoinRefused(DisconnectCode.REMOVED)
    if state.status is SessionStatus.ENDED:
        raise JoinRefused(DisconnectCode.SESSION_OVER)
    if _was_overtaken(state, command):
        raise JoinRefused(DisconnectCode.SERVER_BUSY)
    if command.ticket in state.used_tickets and not _is_same_client(state, command):
        raise JoinRefused(DisconnectCode.TICKET_USED)


def _is_same_client(state: RoomState, command: TakeSeat) -> bool:
    """Whether the secret that was shown is one this seat knows: that of the last Welcome, or the one before it.

    Or, before the first of them was used, the claim that the ticket came with: its Welcome may have been lost. The log
    decides it, not the node that was asked: that one may not have heard of the last Welcome.
    """
    seat = state.seats.get(command.participant)
    if seat is None:
        return False
    claimed = command.claim_hash == seat.claim_hash != ""
    return claimed or (command.shown_hash != "" and command.shown_hash in {seat.resume_hash, seat.shown_hash})


def _was_overtaken(state: RoomState, command: TakeSeat) -> bool:
    """Whether another attempt has taken the seat since this one came; who still waits for this one comes again.

    A node takes attempts in the order in which they came, so it was through another one. And nobody has overtaken the
    client that shows the secret of the last Welcome.
    """
    seat = state.seats.get(command.participant)
    if seat is not None and command.shown_hash == seat.resume_hash != "":
        return False
    if seat is not None and seat.connection is not None and node_of(seat.connection) == node_of(command.connection):
        return False
    return command.generation not in (None, 0 if seat is None else seat.generation)


def _same_seat(state: RoomState, command: TakeSeat, person: Participant, ctx: Context) -> Events:
    seat = state.seats[person.id]
    same = _is_same_client(state, command)
    bound = SeatBound(
        participant=person.id,
        connection=command.connection,
        generation=seat.generation + 1,
        resume_hash=command.resume_hash,
        agreement=seat.agreement,
        ticket="" if same else command.ticket,
        shown_hash=command.shown_hash or command.claim_hash if same else "",
        claim_hash="" if command.shown_hash and same else command.claim_hash,
        reference=command.reference or seat.reference,
    )
    microphone = person.microphone and command.microphone
    camera = person.camera and command.camera
    return (bound, ParticipantReturned(person.id, microphone, camera, ctx.now_ms))


def _first_seat(state: RoomState, command: TakeSeat, ctx: Context) -> Events:
    past = state.past.get(command.participant, Past(command.role))
    _refuse_newcomer(state, command, past)
    name = clean_name(command.name)
    if name is None:
        raise JoinRefused(DisconnectCode.NAME_INVALID)
    person = Participant(
        id=command.participant,
        name=name,
        role=past.role,
        placement=_entrance(state, past),
        joined_ms=ctx.now_ms,
        hard_muted=past.hard_muted,
    )
    bound = SeatBound(
        participant=person.id,
        connection=command.connection,
        generation=1,
        resume_hash=command.resume_hash,
        agreement=command.agreement,
        ticket=command.ticket,
        claim_hash=command.claim_hash,
        reference=command.reference,
    )
    return (bound, ParticipantJoined(person))


def _refuse_newcomer(state: RoomState, command: TakeSeat, past: Past) -> None:
    if state.status is SessionStatus.DEBRIEF and past.role is Role.PARTICIPANT:
        raise JoinRefused(DisconnectCode.SESSION_OVER)
    if command.agreement != state.settings.agreement.version:
        raise JoinRefused(DisconnectCode.AGREEMENT_REQUIRED)
    if state.settings.locked and past.role is not Role.MODERATOR and not past.admitted:
        raise JoinRefused(DisconnectCode.ROOM_LOCKED)
    if len(state.participants) >= min(state.settings.capacity, MAX_PARTICIPANTS):
        raise JoinRefused(DisconnectCode.ROOM_FULL)
    # Whoever opens a link for many again and again must not lock out those who run the session or belong to it.
    stranger = past.role is not Role.MODERATOR and command.participant not in state.past
    if stranger and _remembers_too_much(state):
        raise JoinRefused(DisconnectCode.ROOM_FULL)


def _remembers_too_much(state: RoomState) -> bool:
    ever = len(state.participants) + len(state.past)
    return max(ever, len(state.used_tickets)) >= MAX_EVER


def _entrance(state: RoomState, past: Past) -> Placement:
    """Who has been admitted to this session needs no new admission, however long they were away."""
    if past.role is Role.MODERATOR:
        return MAIN
    return late_placement(state) if state.settings.auto_admit or past.admitted else LOBBY


def _admit(state: RoomState, people: list[Participant], actor: Participant) -> Events:
    """Each to the room that is emptiest after those before them."""
    events: list[Event] = []
    for person in people:
        placement = MAIN if person.role is Role.MODERATOR else late_placement(state)
        event = ParticipantAdmitted(replace(person, placement=placement), actor.id)
        events.append(event)
        state = evolve(state, event)
    return tuple(events)


def _deny(state: RoomState, command: Deny, ctx: Context) -> Events:
    person = require(state, command.participant)
    if person.placement != LOBBY:
        raise CommandRejected(RejectCode.NOT_NOW)
    return (left(person, LeaveReason.DENIED, ctx),)


def _settings(state: RoomState, actor: Participant, **changes: bool) -> Events:
    settings = replace(state.settings, **changes)
    return () if settings == state.settings else (SettingsChanged(settings, actor.id),)


def timed_out(state: RoomState, participant: ParticipantId, ctx: Context) -> ParticipantLeft:
    """The event of a seat that was kept long enough."""
    return left(state.participants[participant], LeaveReason.TIMED_OUT, ctx)
