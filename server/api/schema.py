# SPDX-License-Identifier: Apache-2.0
"""Bodies of the API for care platforms. The OpenAPI description is made of these very structs."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from server.ids import ParticipantId, PhaseId, RoomId
from server.rooms.agenda import MAX_PHASE_MS
from server.rooms.agenda import MAX_PROMPT as MAX_TEXT
from server.rooms.agenda import MAX_TITLE as MAX_PHASE_TITLE
from server.rooms.phases import EndReason, PhaseKind, RoundOrder, SessionStatus
from server.rooms.state import MAX_PARTICIPANTS, CameraPolicy, MediaMode, Presence, Role
from server.rooms.templates import Language

IDENTIFIER = r"^[A-Za-z0-9][A-Za-z0-9._@:-]{0,63}$"
MAX_TITLE = 100
MAX_NAME = 40
MAX_PHASES = 30
MAX_LINK_SECONDS = 400 * 24 * 3600

RoomName = Annotated[
    RoomId,
    Meta(pattern=IDENTIFIER, description="Opaque id of a room; your appointment id, say. Never a topic or a name."),
]
PersonName = Annotated[ParticipantId, Meta(pattern=IDENTIFIER, description="Opaque id of a person, yours.")]
Reference = Annotated[
    str,
    Meta(
        pattern=IDENTIFIER,
        description="What you call this person, for yourself: in attendance and webhooks. Opaque; nobody else in the "
        "room sees it, but it stands in the link.",
    ),
]
Title = Annotated[str, Meta(max_length=MAX_TITLE)]
Seconds = Annotated[int, Meta(ge=60, le=MAX_LINK_SECONDS, description="How long the link is good.")]
Milliseconds = Annotated[int, Meta(ge=0, le=MAX_PHASE_MS)]
Text = Annotated[str, Meta(max_length=MAX_TEXT)]


class TurnsDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A round that begins with the phase: everybody is asked in turn."""

    order: RoundOrder = RoundOrder.LIST
    turn_ms: Milliseconds = 120_000
    no_cross_talk: bool = True


class PhaseDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One item of the agenda. Without a `title` it is called as its kind is. `duration_ms` 0: no time limit."""

    kind: PhaseKind
    title: Annotated[str, Meta(max_length=MAX_PHASE_TITLE)] = ""
    prompt: Text = ""
    duration_ms: Milliseconds = 0
    round: TurnsDraft | None = None


class CreateRoom(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A room to be. What is left out is as the server's settings say; without `agenda` it has the usual one."""

    room: RoomName
    title: Title | None = None
    language: Language | None = None
    agenda: Annotated[tuple[PhaseDraft, ...], Meta(min_length=1, max_length=MAX_PHASES)] | None = None
    capacity: Annotated[int, Meta(ge=1, le=MAX_PARTICIPANTS)] | None = None
    auto_admit: bool | None = None
    agreement: Text | None = None
    camera_policy: CameraPolicy | None = None
    camera_reason: Text | None = None
    media_mode: MediaMode | None = None


class CreateLink(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A link for one person, who gets a random id if you give none.

    `name`: shown to the others; the person may change it; one that cannot be shown is left out. `single_use`: good for
    one seat only; reloads of the page work.
    """

    role: Role = Role.PARTICIPANT
    participant: PersonName | None = None
    reference: Reference | None = None
    name: Annotated[str, Meta(max_length=MAX_NAME)] = ""
    seconds: Seconds = 24 * 3600
    single_use: bool = False


class CreateInvite(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A link for many people: everyone who opens it is a new one."""

    role: Role = Role.PARTICIPANT
    seconds: Seconds = 24 * 3600


class Link(Struct, frozen=True):
    """What to give to the person, and to nobody else. `expires_at`: seconds since 1970. `participant` null: many."""

    url: str
    token: str
    room: RoomId
    role: Role
    participant: ParticipantId | None
    expires_at: int


class EndRoom(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The session is over for everybody, at once.

    `debrief`: staff stay, if the session is live and a moderator is there; end it once more to end that.
    """

    reason: EndReason = EndReason.OVER
    debrief: bool = False


class EndedRoom(Struct, frozen=True):
    """How a room stands that was ended: `debrief` or `ended`."""

    room: RoomId
    status: SessionStatus


class ListedRoom(Struct, frozen=True):
    """A room in a list. `people`: who is there, lobby included."""

    room: RoomId
    status: SessionStatus
    phase: str | None
    capacity: int
    people: int


class RoomList(Struct, frozen=True):
    """Some of the rooms. `next`: what to give as `after` for the rest; null: there is none."""

    rooms: tuple[ListedRoom, ...]
    next: RoomId | None


class Person(Struct, frozen=True):
    """Somebody who is in the room now; `placement`: lobby, main, or a breakout."""

    participant: ParticipantId
    reference: str
    role: Role
    placement: str
    presence: Presence
    joined_ms: int


class Room(Struct, frozen=True):
    """How a room stands. `phase`: id of the present one."""

    room: RoomId
    status: SessionStatus
    phase: str | None
    capacity: int
    people: tuple[Person, ...]


class StayRecord(Struct, frozen=True):
    """From when to when somebody was in the room with a connection; `to_ms` null: still is.

    `seconds` is less than from here to there where, of somebody with very many, two were made one.
    """

    from_ms: int
    to_ms: int | None
    seconds: int


class AttendanceRecord(Struct, frozen=True):
    """Somebody who was in the room; the lobby does not count. `role`: the last one held.

    `seconds`: in all, absences left out. `phases`: seconds in each phase of the agenda.
    """

    participant: ParticipantId
    reference: str
    role: Role
    seconds: int
    phases: dict[PhaseId, int]
    stays: tuple[StayRecord, ...]


class AttendanceReport(Struct, frozen=True):
    """Who was there, in the order in which they first came. Times are milliseconds since 1970, UTC.

    `started_ms` and `ended_ms`: from when to when the session was live. `as_of_ms`: the present, to which who is still
    there is counted.
    """

    room: RoomId
    status: SessionStatus
    as_of_ms: int
    started_ms: int | None
    ended_ms: int | None
    people: tuple[AttendanceRecord, ...]


class Problem(Struct, frozen=True, omit_defaults=True):
    """RFC 9457. `code` never changes its meaning; `detail` says which field is wrong, never what was in it.

    `request`: as in the header `X-Request-Id`, by which an operator finds it in the log.
    """

    type: Literal["about:blank"]
    title: str
    status: int
    code: str
    detail: str = ""
    request: str = ""
