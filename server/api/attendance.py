# SPDX-License-Identifier: Apache-2.0
"""Who was there, as the care platform gets it: ids, roles and times, no names. Pure."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import Final

from server.api.schema import AttendanceRecord, AttendanceReport, StayRecord
from server.rooms.attendance import Presences, lasted_ms, presences
from server.rooms.state import RoomState

COLUMNS: Final = ("participant", "reference", "role", "from", "to", "seconds")
_MS: Final = 1000


def report_of(state: RoomState, now_ms: int) -> AttendanceReport:
    """All of it."""
    kept = state.attendance
    people = tuple(_record(who, now_ms) for who in presences(kept, now_ms))
    return AttendanceReport(state.id, state.status, now_ms, kept.started_ms, kept.ended_ms, people)


def _record(who: Presences, now_ms: int) -> AttendanceRecord:
    return AttendanceRecord(
        participant=who.participant,
        reference=who.attendee.reference,
        role=who.attendee.role,
        seconds=who.present_ms // _MS,
        phases={phase: ms // _MS for phase, ms in who.phases.items()},
        stays=tuple(
            StayRecord(stay.from_ms, stay.to_ms, lasted_ms(stay, now_ms) // _MS) for stay in who.attendee.stays
        ),
    )


def table_of(report: AttendanceReport) -> str:
    """A line for each stay (RFC 4180); times as ISO 8601. Ids begin with a letter or digit: none is a formula."""
    text = io.StringIO()
    lines = csv.writer(text)
    lines.writerow(COLUMNS)
    for who in report.people:
        for stay in who.stays:
            until = "" if stay.to_ms is None else _iso(stay.to_ms)
            lines.writerow((who.participant, who.reference, who.role.value, _iso(stay.from_ms), until, stay.seconds))
    return text.getvalue()


def _iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / _MS, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
