# SPDX-License-Identifier: Apache-2.0
"""Who was in the room and when: kept with the state, told to the care platform, shown to nobody in the room. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from server.ids import LOBBY, ParticipantId, PhaseId
from server.rooms import events as e
from server.rooms.events import Event
from server.rooms.kinds import Kinds
from server.rooms.phases import SessionStatus
from server.rooms.state import Attendance, Attendee, Presence, Role, RoomState, Stay, Stretch

MAX_STAYS: Final = 32
"""Of one person; when there are more, the oldest two become one that knows how long the person was away."""
MAX_STRETCHES: Final = 200
"""Of one session; when there are more, the oldest is no longer known by its phase."""

_Come = e.ParticipantJoined | e.ParticipantAdmitted
_Seat = e.ParticipantReturned | e.ConnectionLost | e.ParticipantLeft | e.RoleChanged
_Session = e.PhaseStarted | e.SessionStarted | e.SessionEnded
_COME: Final = Kinds[_Come](_Come)
_SEAT: Final = Kinds[_Seat](_Seat)
_SESSION: Final = Kinds[_Session](_Session)


def attend(state: RoomState, events: Iterable[Event], at_ms: int) -> RoomState:
    """The state after all these events of one entry, with who has come and gone in it, and what has begun."""
    kept = state.attendance
    for event in events:
        if _COME.has(event):
            kept = _look(state, kept, event.participant.id, at_ms)
        elif _SEAT.has(event):
            kept = _look(state, kept, event.participant, at_ms)
        elif _SESSION.has(event):
            kept = _session(state, kept, at_ms)
    return state if kept is state.attendance else replace(state, attendance=kept)


def _look(state: RoomState, kept: Attendance, participant: ParticipantId, at_ms: int) -> Attendance:
    """Whether this person is here now, whatever was known before."""
    person, seat = state.participants.get(participant), state.seats.get(participant)
    known = kept.people.get(participant)
    here = person is not None and person.placement != LOBBY and person.presence is Presence.CONNECTED
    if known is None and not here:
        return kept
    before = known or Attendee(Role.PARTICIPANT)
    after = Attendee(
        role=before.role if person is None else person.role,
        reference=before.reference if seat is None else seat.reference or before.reference,
        stays=_came(before.stays, at_ms) if here else _went(before.stays, at_ms),
    )
    return kept if after == known else replace(kept, people={**kept.people, participant: after})


def _came(stays: tuple[Stay, ...], at_ms: int) -> tuple[Stay, ...]:
    if stays and stays[-1].to_ms is None:
        return stays
    stays = (*stays, Stay(at_ms))
    return stays if len(stays) <= MAX_STAYS else (_joined(*stays[:2]), *stays[2:])


def _went(stays: tuple[Stay, ...], at_ms: int) -> tuple[Stay, ...]:
    return (*stays[:-1], replace(stays[-1], to_ms=at_ms)) if stays and stays[-1].to_ms is None else stays


def _joined(first: Stay, second: Stay) -> Stay:
    gap_ms = second.from_ms - (second.from_ms if first.to_ms is None else first.to_ms)
    return Stay(first.from_ms, second.to_ms, first.away_ms + gap_ms + second.away_ms)


def _session(state: RoomState, kept: Attendance, at_ms: int) -> Attendance:
    live, phase = state.status is SessionStatus.LIVE, state.agenda.current
    if live and kept.started_ms is None:
        kept = replace(kept, started_ms=at_ms)
    if not live and kept.ended_ms is None:
        kept = replace(kept, ended_ms=at_ms)
    if phase != (kept.phases[-1].phase if kept.phases else None):
        kept = replace(kept, phases=(*kept.phases, Stretch(phase, at_ms))[-MAX_STRETCHES:])
    return kept


# -- told --------------------------------------------------------------------------------------------------------------


class Presences(Struct, frozen=True):
    """One person: how long they were in the room in all, and in each phase, in ms; and the stays themselves.

    `phases` counts no absence within a stay.
    """

    participant: ParticipantId
    attendee: Attendee
    present_ms: int
    phases: dict[PhaseId, int]


def presences(attendance: Attendance, now_ms: int) -> tuple[Presences, ...]:
    """Everybody who was there, in the order in which they first came."""
    stretches = tuple(_stretches(attendance, now_ms))
    return tuple(
        Presences(participant, attendee, present_ms(attendee, now_ms), _phases(attendee, stretches, now_ms))
        for participant, attendee in attendance.people.items()
    )


def present_ms(attendee: Attendee, now_ms: int) -> int:
    """How long somebody was in the room in all."""
    return sum(lasted_ms(stay, now_ms) for stay in attendee.stays)


def lasted_ms(stay: Stay, now_ms: int) -> int:
    """How long one stay was, absences within it left out."""
    return _end(stay, now_ms) - stay.from_ms - stay.away_ms


def _end(stay: Stay, now_ms: int) -> int:
    return max(stay.from_ms, now_ms) if stay.to_ms is None else stay.to_ms


def _stretches(attendance: Attendance, now_ms: int) -> Iterator[tuple[PhaseId, int, int]]:
    ends = (*(stretch.from_ms for stretch in attendance.phases[1:]), now_ms)
    for stretch, end_ms in zip(attendance.phases, ends, strict=False):
        if stretch.phase is not None:
            yield stretch.phase, stretch.from_ms, end_ms


def _phases(attendee: Attendee, stretches: tuple[tuple[PhaseId, int, int], ...], now_ms: int) -> dict[PhaseId, int]:
    spent: dict[PhaseId, int] = {}
    for phase, from_ms, to_ms in stretches:
        shared = (min(to_ms, _end(stay, now_ms)) - max(from_ms, stay.from_ms) for stay in attendee.stays)
        spent[phase] = spent.get(phase, 0) + sum(max(0, each) for each in shared)
    return {phase: ms for phase, ms in spent.items() if ms}
