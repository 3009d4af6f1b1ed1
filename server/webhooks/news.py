# SPDX-License-Identifier: Apache-2.0
"""What a care platform is told of a room: who came and went, when a session began and ended. Ids only. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from enum import StrEnum
from typing import Final

import msgspec
from msgspec import Struct

from server.ids import LOBBY, ParticipantId, RoomId
from server.ports import Entry
from server.rooms import events as e
from server.rooms.attendance import presences
from server.rooms.events import Event, LeaveReason
from server.rooms.phases import EndReason, SessionStatus
from server.rooms.state import Presence, Role, RoomState

MAX_SUMMARY: Final = 1000
"""People in the summary of a session; of a larger one the API tells."""
_ID_BYTES: Final = 16
_MS: Final = 1000


class NewsKind(StrEnum):
    """What has happened."""

    SESSION_STARTED = "session_started"
    SESSION_ENDED = "session_ended"
    """For participants; staff may stay for a debrief."""
    DEBRIEF_ENDED = "debrief_ended"
    PARTICIPANT_JOINED = "participant_joined"
    """In the room itself; who waits in the lobby has not joined."""
    PARTICIPANT_LOST = "participant_lost"
    """The connection is gone; the seat is kept for a minute."""
    PARTICIPANT_RETURNED = "participant_returned"
    PARTICIPANT_LEFT = "participant_left"
    BREAKOUTS_STARTED = "breakouts_started"
    BREAKOUTS_ENDED = "breakouts_ended"
    SUPPORT_REQUESTED = "support_requested"
    SUPPORT_ACKNOWLEDGED = "support_acknowledged"


class Attended(Struct, frozen=True):
    """How long somebody was in the room."""

    participant: ParticipantId
    reference: str
    role: Role
    seconds: int


class News(Struct, frozen=True, omit_defaults=True):
    """One webhook. `id`: the same whenever it is sent. `at_ms`: milliseconds since 1970.

    `left`: why a participant is not there any more. `ended`: why the session is over. `attendance`: of everybody who
    was there, when it is over; left out when they are more than a thousand.
    """

    id: str
    event: NewsKind
    room: RoomId
    at_ms: int
    participant: ParticipantId | None = None
    reference: str = ""
    role: Role | None = None
    left: LeaveReason | None = None
    ended: EndReason | None = None
    attendance: tuple[Attended, ...] | None = None


class Told(Struct, frozen=True):
    """What of an event is news."""

    kind: NewsKind
    participant: ParticipantId | None = None
    left: LeaveReason | None = None
    ended: EndReason | None = None


_encode: Final = msgspec.json.Encoder().encode


def news_of(before: RoomState, after: RoomState, entry: Entry, epoch: int, seq: int) -> tuple[bytes, ...]:
    """What there is to tell of an entry, as it will be sent; the same at every node, and whenever it is asked."""
    told = (each for event in entry.events for each in _told(before, event))
    return tuple(
        _encode(_news(after, each, entry.at_ms, _id(after.id, epoch, seq, index))) for index, each in enumerate(told)
    )


def _id(room: RoomId, epoch: int, seq: int, index: int) -> str:
    name = f"{room}\n{epoch}\n{seq}\n{index}".encode()
    return hashlib.blake2b(name, digest_size=_ID_BYTES, person=b"hs-news").hexdigest()


def _news(after: RoomState, told: Told, at_ms: int, name: str) -> News:
    known = None if told.participant is None else after.attendance.people.get(told.participant)
    return News(
        id=name,
        event=told.kind,
        room=after.id,
        at_ms=at_ms,
        participant=told.participant,
        reference="" if known is None else known.reference,
        role=None if known is None else known.role,
        left=told.left,
        ended=told.ended,
        attendance=None if told.ended is None else _summary(after, at_ms),
    )


def _summary(state: RoomState, at_ms: int) -> tuple[Attended, ...] | None:
    people = presences(state.attendance, at_ms)
    if len(people) > MAX_SUMMARY:
        return None
    return tuple(
        Attended(each.participant, each.attendee.reference, each.attendee.role, each.present_ms // _MS)
        for each in people
    )


def _told(before: RoomState, event: Event) -> Iterator[Told]:  # noqa: C901 - a line for each kind
    match event:
        case e.SessionStarted():
            yield Told(NewsKind.SESSION_STARTED)
        case e.SessionEnded(reason=reason):
            debrief = before.status is SessionStatus.DEBRIEF
            yield Told(NewsKind.DEBRIEF_ENDED if debrief else NewsKind.SESSION_ENDED, ended=reason)
        case e.BreakoutsRevised(rooms=rooms) if bool(rooms) != bool(before.breakouts.rooms):
            yield Told(NewsKind.BREAKOUTS_STARTED if rooms else NewsKind.BREAKOUTS_ENDED)
        case e.HelpRequested(request=request) if request.participant not in {call.participant for call in before.help}:
            yield Told(NewsKind.SUPPORT_REQUESTED, request.participant)
        case e.HelpAcknowledged(participant=participant):
            yield Told(NewsKind.SUPPORT_ACKNOWLEDGED, participant)
        case e.ParticipantJoined() | e.ParticipantAdmitted():
            if event.participant.placement != LOBBY:
                yield Told(NewsKind.PARTICIPANT_JOINED, event.participant.id)
        case e.ParticipantLeft(participant=participant, placement=placement, reason=reason) if placement != LOBBY:
            yield Told(NewsKind.PARTICIPANT_LEFT, participant, left=reason)
        case e.ConnectionLost() | e.ParticipantReturned():
            yield from _link(before, event)
        case _:
            return


def _link(before: RoomState, event: e.ConnectionLost | e.ParticipantReturned) -> Iterator[Told]:
    """A second tab that takes over is no return; in the lobby nobody is missed."""
    person = before.participants.get(event.participant)
    if person is None or person.placement == LOBBY:
        return
    if isinstance(event, e.ConnectionLost):
        yield Told(NewsKind.PARTICIPANT_LOST, person.id)
    elif person.presence is Presence.LOST:
        yield Told(NewsKind.PARTICIPANT_RETURNED, person.id)
