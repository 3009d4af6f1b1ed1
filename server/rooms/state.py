# SPDX-License-Identifier: Apache-2.0
"""The state of a room family, as values.

`RoomView` is all that a client may hold; what a person must not see is left out of their view.
`RoomState` adds what never leaves the server. All times are integer milliseconds of log time.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from msgspec import Struct

from server.ids import BreakoutId, ConnectionId, ParticipantId, PhaseId, Placement, RoomId
from server.rooms.phases import Phase, RoundOrder, SessionStatus

MAX_PARTICIPANTS: Final = 500
MAX_BREAKOUTS: Final = 50
MAX_PHASES: Final = 30
MAX_PENDING: Final = 64
MAX_CHAT_MESSAGES: Final = 100
MAX_GOALS: Final = 1_000
"""Those of people who have left are kept, too."""
MAX_RECENT_COMMANDS: Final = 512
MAX_LATEST_COMMANDS: Final = 128
MAX_EVER: Final = 5_000
"""How many people and tickets a session remembers in all; after that it takes nobody new but moderators."""
SEAT_GRACE_MS: Final = 60_000
WARNINGS_MS: Final = (300_000, 60_000, 15_000)


class Role(StrEnum):
    """`leader`: peer leader, rights only in the breakout they lead. `moderator`: the whole room."""

    PARTICIPANT = "participant"
    LEADER = "leader"
    MODERATOR = "moderator"


class Presence(StrEnum):
    """`lost`: the connection is gone, the seat is kept for `SEAT_GRACE_MS`."""

    CONNECTED = "connected"
    LOST = "lost"


class CameraPolicy(StrEnum):
    """What the group asks of cameras. Entry with sound only is never blocked."""

    OPTIONAL = "optional"
    ENCOURAGED = "encouraged"
    EXPECTED = "expected"


class Reaction(StrEnum):
    """Reactions; clients show a symbol and say the name."""

    HEART = "heart"
    THANKS = "thanks"
    APPLAUSE = "applause"
    SUPPORT = "support"
    AGREE = "agree"


class Participant(Struct, frozen=True):
    """A person in the room. `microphone` and `camera`: what they chose, and what is forwarded."""

    id: ParticipantId
    name: str
    role: Role
    placement: Placement
    joined_ms: int
    presence: Presence = Presence.CONNECTED
    microphone: bool = False
    camera: bool = False
    hard_muted: bool = False


class Hand(Struct, frozen=True):
    """A raised hand; hands are kept in the order in which they were raised, over all placements."""

    participant: ParticipantId
    raised_ms: int


class Timer(Struct, frozen=True):
    """`warned` holds those of `WARNINGS_MS` already announced; `over`: the end has been announced."""

    started_ms: int
    ends_ms: int
    warned: tuple[int, ...] = ()
    over: bool = False


class Agenda(Struct, frozen=True):
    """`version` rises with every edit. `current` None: not begun, or between the last phase and the end."""

    version: int
    phases: tuple[Phase, ...]
    current: PhaseId | None = None
    timer: Timer | None = None


class Round(Struct, frozen=True):
    """A round in one placement: everyone gets the word once, may pass, or ask to be called again later.

    `waiting` is the order still to come (for `volunteer`: who has not spoken, in no binding order);
    `later` are those who said "come back to me"; they are called when `waiting` is empty.
    """

    order: RoundOrder
    turn_ms: int
    no_cross_talk: bool
    waiting: tuple[ParticipantId, ...]
    later: tuple[ParticipantId, ...] = ()
    done: tuple[ParticipantId, ...] = ()
    current: ParticipantId | None = None
    turn_started_ms: int = 0


class AssignmentStrategy(StrEnum):
    """How a plan is filled."""

    EVEN = "even"
    RANDOM = "random"
    BY_LEADER = "by_leader"
    BY_HAND = "by_hand"


class PlannedRoom(Struct, frozen=True, forbid_unknown_fields=True):
    """One room of a plan."""

    name: str
    members: tuple[ParticipantId, ...] = ()
    leader: ParticipantId | None = None


class BreakoutPlan(Struct, frozen=True):
    """A draft that only moderators see; `version` rises with every edit."""

    version: int
    strategy: AssignmentStrategy
    rooms: tuple[PlannedRoom, ...]
    duration_ms: int
    prompt: str = ""


class Breakout(Struct, frozen=True):
    """An open breakout room; who is in it is told by the participants' placements alone."""

    id: BreakoutId
    name: str
    leader: ParticipantId | None = None


class PendingKind(StrEnum):
    """What an announced change will be."""

    OPEN = "open"
    MOVE = "move"
    CLOSE = "close"


class PendingChange(Struct, frozen=True):
    """A change that people have been told of and that happens at `at_ms`.

    `moves` tells who goes where; who stays in main on purpose is in it with `MAIN`, and who is in main without being
    in it has come since. For `open` the names of the coming rooms are in `rooms`.
    """

    id: int
    kind: PendingKind
    at_ms: int
    moves: dict[ParticipantId, Placement]
    rooms: tuple[Breakout, ...] = ()
    duration_ms: int = 0
    prompt: str = ""


class Breakouts(Struct, frozen=True):
    """`revision` rises with every committed change of rooms or assignment; no rooms: closed."""

    revision: int = 0
    rooms: tuple[Breakout, ...] = ()
    timer: Timer | None = None
    prompt: str = ""
    pending: tuple[PendingChange, ...] = ()
    plan: BreakoutPlan | None = None
    undoable: bool = False


class ChatMessage(Struct, frozen=True):
    """`id` is unique in the room; `placement` `EVERYWHERE`: from staff to all rooms."""

    id: int
    participant: ParticipantId
    name: str
    placement: Placement
    text: str
    at_ms: int


class GoalVisibility(StrEnum):
    """Who reads a goal."""

    PRIVATE = "private"
    GROUP = "group"


class Goal(Struct, frozen=True):
    """What a person takes away from the session."""

    text: str
    visibility: GoalVisibility
    at_ms: int


class HelpRequest(Struct, frozen=True):
    """A call for a moderator; the sender sees who answered."""

    participant: ParticipantId
    placement: Placement
    at_ms: int
    acknowledged_by: ParticipantId | None = None


class Agreement(Struct, frozen=True):
    """The group agreement; accepted per session by its version. Version 0: none is needed."""

    version: int = 0
    text: str = ""


class MediaMode(StrEnum):
    """Which way sound and pictures take."""

    SFU = "sfu"
    """Through the server."""
    MESH = "mesh"
    """Straight between two people, who thereby learn each other's network address."""
    MESH_RELAY = "mesh_relay"
    """Between two people by way of a TURN server only: neither learns where the other is."""


class RoomSettings(Struct, frozen=True):
    """What a moderator may change live (`auto_admit`, `locked`) and what the session was opened with."""

    title: str
    capacity: int = 60
    auto_admit: bool = False
    locked: bool = False
    agreement: Agreement = Agreement()
    camera_policy: CameraPolicy = CameraPolicy.OPTIONAL
    camera_reason: str = ""
    media_mode: MediaMode = MediaMode.SFU


class RoomView(Struct, frozen=True, kw_only=True):
    """What one person may see of the room; also the base of the full state."""

    id: RoomId
    status: SessionStatus
    settings: RoomSettings
    agenda: Agenda
    participants: dict[ParticipantId, Participant] = {}
    hands: tuple[Hand, ...] = ()
    rounds: dict[Placement, Round] = {}
    breakouts: Breakouts = Breakouts()
    chat: dict[Placement, tuple[ChatMessage, ...]] = {}
    goals: dict[ParticipantId, Goal] = {}
    help: tuple[HelpRequest, ...] = ()
    spotlight: ParticipantId | None = None


class Seat(Struct, frozen=True):
    """What binds a participant to their present connection. A new connection raises `generation`.

    `resume_hash`: of the secret in the last Welcome. `shown_hash`: of the secret that was shown to get that Welcome;
    it still opens the seat, for the Welcome may have been lost. `claim_hash`: of the claim that came with the ticket,
    which may be shown again until the client has resumed once. `reference`: what the care platform calls the person.
    """

    connection: ConnectionId | None
    generation: int
    resume_hash: str
    agreement: int
    lost_ms: int | None = None
    shown_hash: str = ""
    claim_hash: str = ""
    reference: str = ""


class Past(Struct, frozen=True):
    """What stays with a person who left and comes back: no right is regained, no admission lost."""

    role: Role
    hard_muted: bool = False
    admitted: bool = False


class Stay(Struct, frozen=True, array_like=True):
    """Somebody was in the room with a connection, from then to then; `to_ms` None: still is.

    `away_ms`: how long they were not, all the same, where several stays had to become one.
    """

    from_ms: int
    to_ms: int | None = None
    away_ms: int = 0


class Attendee(Struct, frozen=True, array_like=True):
    """Who has been in the room, the lobby not included. `reference`: what the care platform calls them."""

    role: Role
    reference: str = ""
    stays: tuple[Stay, ...] = ()


class Stretch(Struct, frozen=True, array_like=True):
    """From then on, until the next one, this was the phase; None: none."""

    phase: PhaseId | None
    from_ms: int


class Attendance(Struct, frozen=True):
    """Who was there and when. `started_ms` and `ended_ms`: from when to when the session was live."""

    people: dict[ParticipantId, Attendee] = {}
    phases: tuple[Stretch, ...] = ()
    started_ms: int | None = None
    ended_ms: int | None = None


class BreakoutsMemo(Struct, frozen=True):
    """What undo of the last change restores: the rooms, their timer, and where the moved people were.

    `moves`: from where and to where that change moved each person; who has gone elsewhere since is left alone.
    """

    rooms: tuple[Breakout, ...]
    timer: Timer | None
    moves: dict[ParticipantId, tuple[Placement, Placement]]
    prompt: str = ""


class RoomState(RoomView, frozen=True, kw_only=True):
    """The whole truth about a room family."""

    seats: dict[ParticipantId, Seat] = {}
    past: dict[ParticipantId, Past] = {}
    removed: frozenset[ParticipantId] = frozenset()
    used_tickets: frozenset[str] = frozenset()
    memo: BreakoutsMemo | None = None
    attendance: Attendance = Attendance()
    next_breakout: int = 1
    next_plan: int = 1
    next_message: int = 1
    next_pending: int = 1
    recent: dict[str, int] = {}
    """Key of a command in the log -> position of its entry; the newest `MAX_RECENT_COMMANDS`, oldest first."""
    latest: dict[str, int] = {}
    """Those after them: fewer than `MAX_LATEST_COMMANDS`."""
