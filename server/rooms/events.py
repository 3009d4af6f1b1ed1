# SPDX-License-Identifier: Apache-2.0
"""Events: what has happened in a room. The log is made of these; `evolve` folds them into the state.

A new field needs a default; a field is never renamed. Events carry results, never wishes: applying one needs no
decision. `at_ms` is log time. Which people receive an event is told by `audience.audience_of`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import dataclass_transform

from msgspec import Struct, field

from server.ids import ConnectionId, ParticipantId, PhaseId, Placement, RoomId
from server.rooms.phases import EndReason, Phase
from server.rooms.state import (
    Agenda,
    Breakout,
    BreakoutPlan,
    ChatMessage,
    Goal,
    GoalVisibility,
    Hand,
    HelpRequest,
    Participant,
    PendingChange,
    Reaction,
    Role,
    RoomSettings,
    Round,
    Timer,
)


class LeaveReason(StrEnum):
    """Why somebody is no longer in the room."""

    LEFT = "left"
    REMOVED = "removed"
    DENIED = "denied"
    TIMED_OUT = "timed_out"
    ENDED = "ended"


class TurnOutcome(StrEnum):
    """How a turn ended."""

    DONE = "done"
    PASSED = "passed"
    LATER = "later"
    MOVED_ON = "moved_on"
    GONE = "gone"


class BreakoutsChange(StrEnum):
    """What kind of change a revision is; for announcements and undo."""

    OPEN = "open"
    MOVE = "move"
    SWAP = "swap"
    MERGE = "merge"
    SPLIT = "split"
    ADD = "add"
    RENAME = "rename"
    CLOSE_ONE = "close_one"
    CLOSE = "close"
    TIME_OVER = "time_over"
    VISIT = "visit"
    UNDO = "undo"


class TimerScope(StrEnum):
    """Which timer speaks."""

    PHASE = "phase"
    BREAKOUTS = "breakouts"


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
class _Event(Struct, frozen=True, tag_field="type"):
    pass


class RoomOpened(_Event, tag="room_opened"):
    """First event of every log."""

    room: RoomId
    settings: RoomSettings
    agenda: Agenda
    at_ms: int


class ParticipantJoined(_Event, tag="participant_joined"):
    """Took a seat; `placement` tells whether in the lobby, in main, or as a late joiner in a breakout."""

    participant: Participant


class ParticipantAdmitted(_Event, tag="participant_admitted"):
    """From the lobby to `participant.placement`; carries the whole person, whom others had not seen."""

    participant: Participant
    by: ParticipantId | None = None


class ParticipantReturned(_Event, tag="participant_returned"):
    """Connected again (or in another tab); microphone and camera as the client now has them, never more than before."""

    participant: ParticipantId
    microphone: bool
    camera: bool
    at_ms: int


class ConnectionLost(_Event, tag="connection_lost"):
    """The seat is kept for a while."""

    participant: ParticipantId
    at_ms: int


class ParticipantLeft(_Event, tag="participant_left"):
    """Gone: their hand, turn, help request and seat with them. REMOVED: for good. `placement`: where they were."""

    participant: ParticipantId
    placement: Placement
    reason: LeaveReason
    at_ms: int


class SeatBound(_Event, tag="seat_bound"):
    """Internal, to nobody: the connection that now speaks for a participant. `ticket` is consumed. See `TakeSeat`."""

    participant: ParticipantId
    connection: ConnectionId
    generation: int
    resume_hash: str
    agreement: int
    ticket: str = ""
    shown_hash: str = ""
    claim_hash: str = ""
    reference: str = ""


class SettingsChanged(_Event, tag="settings_changed"):
    """Lock or auto-admit was changed."""

    settings: RoomSettings
    by: ParticipantId


class MicrophoneChanged(_Event, tag="microphone_changed"):
    """`on` true only ever follows the person's own command."""

    participant: ParticipantId
    on: bool
    by: ParticipantId


class CameraChanged(_Event, tag="camera_changed"):
    """`on` true only ever follows the person's own command."""

    participant: ParticipantId
    on: bool
    by: ParticipantId


class HardMuteChanged(_Event, tag="hard_mute_changed"):
    """`on`: also turns the microphone off. Lifting leaves the microphone off."""

    participant: ParticipantId
    on: bool
    by: ParticipantId


class HandRaised(_Event, tag="hand_raised"):
    """Appended to the queue."""

    hand: Hand


class HandLowered(_Event, tag="hand_lowered"):
    """Taken from the queue."""

    participant: ParticipantId
    by: ParticipantId


class Reacted(_Event, tag="reacted"):
    """Shown for a moment; leaves no state."""

    participant: ParticipantId
    placement: Placement
    reaction: Reaction


class Renamed(_Event, tag="renamed"):
    """A new displayed name."""

    participant: ParticipantId
    name: str
    by: ParticipantId


class ChatSent(_Event, tag="chat_sent"):
    """To one placement, or from staff to EVERYWHERE."""

    message: ChatMessage


class GoalSet(_Event, tag="goal_set"):
    """`goal` None: taken back. `visibility` tells who learns of it: PRIVATE: the owner alone.

    When a goal turns from group to private, the others receive it as None in an event of its own.
    """

    participant: ParticipantId
    goal: Goal | None
    visibility: GoalVisibility


class SpotlightChanged(_Event, tag="spotlight_changed"):
    """Whom everyone sees large; None: nobody."""

    participant: ParticipantId | None
    by: ParticipantId


class RoleChanged(_Event, tag="role_changed"):
    """The person receives a new snapshot, since they now see other things."""

    participant: ParticipantId
    role: Role
    by: ParticipantId


class SessionStarted(_Event, tag="session_started"):
    """The session is live; also told to the lobby, which does not see the agenda."""

    at_ms: int
    by: ParticipantId


class PhaseStarted(_Event, tag="phase_started"):
    """The session is in this phase. Rounds of the phase before are over."""

    phase: PhaseId
    timer: Timer | None
    by: ParticipantId


class PhaseExtended(_Event, tag="phase_extended"):
    """The phase's timer was replaced."""

    timer: Timer
    by: ParticipantId


class AgendaEdited(_Event, tag="agenda_edited"):
    """The list of phases was replaced."""

    version: int
    phases: tuple[Phase, ...]
    by: ParticipantId


class TimerWarned(_Event, tag="timer_warned"):
    """`left_ms` is one of `WARNINGS_MS`."""

    scope: TimerScope
    left_ms: int


class TimerOver(_Event, tag="timer_over"):
    """Time is up. For a phase this informs; for breakouts the return follows at once."""

    scope: TimerScope


class RoundStarted(_Event, tag="round_started"):
    """A round begins, replaces any other in this placement."""

    placement: Placement
    round: Round


class TurnStarted(_Event, tag="turn_started"):
    """It is this person's turn; nobody's microphone is touched, but out of turn nobody is forwarded."""

    placement: Placement
    participant: ParticipantId
    at_ms: int


class TurnEnded(_Event, tag="turn_ended"):
    """A turn ended, or (PASSED, LATER, GONE) a person waiting gave up or postponed theirs."""

    placement: Placement
    participant: ParticipantId
    outcome: TurnOutcome


class RoundJoined(_Event, tag="round_joined"):
    """Somebody came to a placement whose round is going on: last in its order."""

    placement: Placement
    participant: ParticipantId


class RoundEnded(_Event, tag="round_ended"):
    """The round is over; everybody may speak again."""

    placement: Placement


class PlanChanged(_Event, tag="plan_changed"):
    """The draft, for moderators alone; None: discarded."""

    plan: BreakoutPlan | None
    by: ParticipantId


class ChangeAnnounced(_Event, tag="change_announced"):
    """People are told of a move before it happens."""

    change: PendingChange
    by: ParticipantId


class ChangeCancelled(_Event, tag="change_cancelled"):
    """An announced change will not happen."""

    id: int
    by: ParticipantId | None


class BreakoutsRevised(_Event, tag="breakouts_revised"):
    """ONE change of rooms and of who is where: all of it or nothing.

    `rooms` are all breakouts open from now on (none: closed), `moves` only those who change placement, `timer` the
    timer from now on. `pending` is the announced change that this one fulfils. `by` None: the clock.
    The plan is consumed by OPEN. Undo restores what the last revision changed; UNDO itself cannot be undone.
    """

    revision: int
    change: BreakoutsChange
    rooms: tuple[Breakout, ...]
    moves: dict[ParticipantId, Placement]
    timer: Timer | None
    at_ms: int
    by: ParticipantId | None
    prompt: str = ""
    pending: int | None = None


class BreakoutsExtended(_Event, tag="breakouts_extended"):
    """The breakouts' timer was replaced."""

    timer: Timer
    by: ParticipantId


class HelpRequested(_Event, tag="help_requested"):
    """For moderators and the caller. Once more, with another placement, when who called unseen was moved."""

    request: HelpRequest


class HelpAcknowledged(_Event, tag="help_acknowledged"):
    """The caller sees who answered."""

    participant: ParticipantId
    by: ParticipantId


class HelpCleared(_Event, tag="help_cleared"):
    """Cancelled, or a moderator has come."""

    participant: ParticipantId


class SessionEnded(_Event, tag="session_ended"):
    """`debrief`: participants have left (each by a ParticipantLeft of the same commit), staff are still here."""

    debrief: bool
    at_ms: int
    by: ParticipantId | None
    reason: EndReason = EndReason.OVER


SessionEvent = RoomOpened | SettingsChanged | SessionStarted | SessionEnded
SeatEvent = ParticipantJoined | ParticipantAdmitted | ParticipantReturned | ConnectionLost | ParticipantLeft | SeatBound
PersonEvent = MicrophoneChanged | CameraChanged | HardMuteChanged | HandRaised | HandLowered | Renamed | RoleChanged
SharedEvent = Reacted | ChatSent | GoalSet | SpotlightChanged | HelpRequested | HelpAcknowledged | HelpCleared
AgendaEvent = PhaseStarted | PhaseExtended | AgendaEdited | TimerWarned | TimerOver
RoundEvent = RoundStarted | TurnStarted | TurnEnded | RoundJoined | RoundEnded
BreakoutEvent = PlanChanged | ChangeAnnounced | ChangeCancelled | BreakoutsRevised | BreakoutsExtended
Event = SessionEvent | SeatEvent | PersonEvent | SharedEvent | AgendaEvent | RoundEvent | BreakoutEvent
