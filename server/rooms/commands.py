# SPDX-License-Identifier: Apache-2.0
"""Commands: what people and the system ask of a room.

No authority ever travels in a command: who acts is taken from the connection's seat, and what they may do from
`roles.GRANTS`. Structs are strict: an unknown field is refused. Durations are milliseconds.
"""

from __future__ import annotations

from typing import Annotated, dataclass_transform

from msgspec import Meta, Struct, field

from server.ids import BreakoutId, ConnectionId, NodeId, ParticipantId, PhaseId, Placement
from server.rooms.phases import Phase, RoundOrder
from server.rooms.platform import CloseSession
from server.rooms.state import AssignmentStrategy, GoalVisibility, PlannedRoom, Reaction, Role

Name = Annotated[str, Meta(min_length=1, max_length=40)]
Text = Annotated[str, Meta(min_length=1, max_length=2000)]
ShortText = Annotated[str, Meta(max_length=500)]
People = Annotated[tuple[ParticipantId, ...], Meta(min_length=1, max_length=500)]
LeadMs = Annotated[int, Meta(ge=0, le=60_000)]
DurationMs = Annotated[int, Meta(ge=0, le=4 * 3600 * 1000)]
ExtraMs = Annotated[int, Meta(ge=1_000, le=3600 * 1000)]


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
class _Command(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type"):
    pass


class Admit(_Command, tag="admit"):
    """Let people from the lobby in; while breakouts are open they go to the least-full room."""

    participants: People


class Deny(_Command, tag="deny"):
    """Refuse somebody who waits in the lobby."""

    participant: ParticipantId


class SetLocked(_Command, tag="set_locked"):
    """A locked room lets nobody new in but moderators; people who were admitted before come back."""

    locked: bool


class SetAutoAdmit(_Command, tag="set_auto_admit"):
    """Whether newcomers skip the lobby; turning it on admits all who wait."""

    auto_admit: bool


class Leave(_Command, tag="leave"):
    """Give up one's seat."""


class SetMicrophone(_Command, tag="set_microphone"):
    """Only ever sent for oneself, after the person pressed."""

    on: bool


class SetCamera(_Command, tag="set_camera"):
    """Only ever sent for oneself, after the person pressed."""

    on: bool


class RaiseHand(_Command, tag="raise_hand"):
    """Join the queue; a raised hand keeps its place."""


class LowerHand(_Command, tag="lower_hand"):
    """Leave the queue; for another person it needs the right to moderate. None: oneself."""

    participant: ParticipantId | None = None


class React(_Command, tag="react"):
    """Show a reaction to one's own placement for a moment."""

    reaction: Reaction


class Rename(_Command, tag="rename"):
    """Change a displayed name. None: one's own."""

    name: Name
    participant: ParticipantId | None = None


class SendChat(_Command, tag="send_chat"):
    """To everyone in one's own placement."""

    text: Text


class SetGoal(_Command, tag="set_goal"):
    """Write or replace one's goal; an empty text takes it back."""

    text: ShortText
    visibility: GoalVisibility = GoalVisibility.PRIVATE


class Mute(_Command, tag="mute"):
    """Turn microphones off; the people may turn them on again."""

    participants: People


class MuteEveryone(_Command, tag="mute_everyone"):
    """Turn off every microphone in the moderator's placement except those of staff."""


class SetHardMute(_Command, tag="set_hard_mute"):
    """Turn a microphone off and keep it off, or lift that; lifting never turns the microphone on."""

    participant: ParticipantId
    on: bool


class TurnCameraOff(_Command, tag="turn_camera_off"):
    """Turn a camera off; the person may turn it on again."""

    participant: ParticipantId


class Remove(_Command, tag="remove"):
    """End somebody's part in this session; they cannot come back to it."""

    participant: ParticipantId


class Spotlight(_Command, tag="spotlight"):
    """Show one person large to everyone in their placement. None: nobody."""

    participant: ParticipantId | None = None


class SetRole(_Command, tag="set_role"):
    """Give or take a role; the last moderator cannot be demoted."""

    participant: ParticipantId
    role: Role


class EndSession(_Command, tag="end_session"):
    """End for all; with `debrief` staff stay behind and end again when they are done."""

    debrief: bool = False


class NextPhase(_Command, tag="next_phase"):
    """Begin the session, or go to the next phase that is not skipped."""


class PreviousPhase(_Command, tag="previous_phase"):
    """Go back one phase; its time starts anew."""


class SkipPhase(_Command, tag="skip_phase"):
    """Mark a coming phase as skipped, or take that back."""

    phase: PhaseId
    skipped: bool = True


class ExtendPhase(_Command, tag="extend_phase"):
    """Add time to the current phase; warnings that were given for less time left are given again."""

    extra_ms: ExtraMs


class EditAgenda(_Command, tag="edit_agenda"):
    """Replace the list of phases; the current phase must stay in it. `version` is the one that was edited."""

    version: int
    phases: Annotated[tuple[Phase, ...], Meta(min_length=1, max_length=30)]


class StartRound(_Command, tag="start_round"):
    """Begin a round in one's own placement; everyone there except moderators takes part."""

    order: RoundOrder = RoundOrder.LIST
    turn_ms: DurationMs = 120_000
    no_cross_talk: bool = True


class TakeTurn(_Command, tag="take_turn"):
    """Volunteer, while it is nobody's turn."""


class FinishTurn(_Command, tag="finish_turn"):
    """Say that one is done."""


class PassTurn(_Command, tag="pass_turn"):
    """Not speak in this round; possible before and during one's turn."""


class ComeBackLater(_Command, tag="come_back_later"):
    """Be called again after the others."""


class NextTurn(_Command, tag="next_turn"):
    """Moderator or leader: end the present turn and give it to the next person."""


class GiveTurn(_Command, tag="give_turn"):
    """Moderator or leader: offer the turn to this person now."""

    participant: ParticipantId


class EndRound(_Command, tag="end_round"):
    """Moderator or leader: end the round of one's own placement."""


class DraftPlan(_Command, tag="draft_plan"):
    """Make a new draft. `by_leader`: one room for each leader; `by_hand`: empty rooms. `names`: else "Room 1", ..."""

    strategy: AssignmentStrategy
    rooms: Annotated[int, Meta(ge=1, le=50)]
    duration_ms: DurationMs
    prompt: ShortText = ""
    names: Annotated[tuple[Name, ...], Meta(max_length=50)] = ()


class EditPlan(_Command, tag="edit_plan"):
    """Replace the draft. `version` is the one that was edited."""

    version: int
    rooms: Annotated[tuple[PlannedRoom, ...], Meta(min_length=1, max_length=50)]
    duration_ms: DurationMs
    prompt: ShortText = ""


class DiscardPlan(_Command, tag="discard_plan"):
    """Forget the draft."""


class OpenBreakouts(_Command, tag="open_breakouts"):
    """Open the draft of this version, `lead_ms` after telling people. Alone in a room needs `allow_alone`."""

    version: int
    lead_ms: LeadMs = 0
    allow_alone: bool = False


class Move(_Command, tag="move"):
    """Move people to `main` or to an open breakout."""

    participants: People
    to: Placement
    lead_ms: LeadMs = 0


class Swap(_Command, tag="swap"):
    """Exchange the placements of two people."""

    first: ParticipantId
    second: ParticipantId


class MergeBreakouts(_Command, tag="merge_breakouts"):
    """Move everyone of `source` to `target` and close `source`."""

    source: BreakoutId
    target: BreakoutId


class SplitBreakout(_Command, tag="split_breakout"):
    """Open a new breakout with these people of `source`."""

    source: BreakoutId
    participants: People
    name: Name


class AddBreakout(_Command, tag="add_breakout"):
    """Open one more, empty, breakout; also the first one, as for a private word. A draft stays."""

    name: Name


class RenameBreakout(_Command, tag="rename_breakout"):
    """Change the name of an open breakout."""

    breakout: BreakoutId
    name: Name


class CloseBreakout(_Command, tag="close_breakout"):
    """Close one breakout; its people return to main."""

    breakout: BreakoutId


class CloseBreakouts(_Command, tag="close_breakouts"):
    """Close all; everyone returns to main `lead_ms` after being told."""

    lead_ms: LeadMs = 0


class ExtendBreakouts(_Command, tag="extend_breakouts"):
    """Add time to all breakouts."""

    extra_ms: ExtraMs


class UndoBreakouts(_Command, tag="undo_breakouts"):
    """Take back an announced change, else the last change of rooms."""


class Broadcast(_Command, tag="broadcast"):
    """A text to every room."""

    text: Text


class Visit(_Command, tag="visit"):
    """Staff: move oneself to another placement; shown to the people there."""

    to: Placement


class RequestHelp(_Command, tag="request_help"):
    """Call a moderator to one's placement. Only moderators learn of it."""


class CancelHelp(_Command, tag="cancel_help"):
    """Take the call back."""


class AcknowledgeHelp(_Command, tag="acknowledge_help"):
    """Moderator: tell the caller that it was seen."""

    participant: ParticipantId


# -- from the system, never from a client ------------------------------------------------------------------------------


class TakeSeat(_Command, tag="take_seat"):
    """A verified connection asks for its seat: the first time, after a loss, or from a second tab.

    `role` and `name` count only when the seat is first taken. `agreement` is the version the person accepted.
    `microphone` and `camera` tell what the client still sends; they can only turn the room's record off, never on.
    `ticket` is consumed (if any), unless the seat knows `shown_hash`, of a resume secret, or `claim_hash`, of what came
    with it. `generation`: the seat's when the connection came (0: none, None: whichever). `reference`: the platform's.
    """

    participant: ParticipantId
    name: str
    role: Role
    connection: ConnectionId
    resume_hash: str
    agreement: int = 0
    ticket: str = ""
    shown_hash: str = ""
    claim_hash: str = ""
    microphone: bool = False
    camera: bool = False
    generation: int | None = None
    reference: str = ""


class LoseConnection(_Command, tag="lose_connection"):
    """The connection is gone; ignored when the seat is already bound to a newer one."""

    participant: ParticipantId
    connection: ConnectionId


class LoseConnections(_Command, tag="lose_connections"):
    """A node is gone, and with it every connection that was made there."""

    node: NodeId


Lobby = Admit | Deny | SetLocked | SetAutoAdmit | Leave
Own = SetMicrophone | SetCamera | RaiseHand | LowerHand | React | Rename | SendChat | SetGoal
Moderation = Mute | MuteEveryone | SetHardMute | TurnCameraOff | Remove | Spotlight | SetRole | EndSession
AgendaCommand = NextPhase | PreviousPhase | SkipPhase | ExtendPhase | EditAgenda
RoundCommand = StartRound | TakeTurn | FinishTurn | PassTurn | ComeBackLater | NextTurn | GiveTurn | EndRound
PlanCommand = DraftPlan | EditPlan | DiscardPlan
MovingCommand = Move | Swap | Visit
ArrangingCommand = MergeBreakouts | SplitBreakout | AddBreakout | RenameBreakout | CloseBreakout
BreakoutCommand = OpenBreakouts | MovingCommand | ArrangingCommand | ExtendBreakouts | CloseBreakouts | UndoBreakouts
SupportCommand = Broadcast | RequestHelp | CancelHelp | AcknowledgeHelp
RoomCommand = Lobby | Own | Moderation | AgendaCommand | RoundCommand | PlanCommand | BreakoutCommand | SupportCommand
"""Everything a client may send to its room."""

SeatCommand = TakeSeat | LoseConnection | LoseConnections
SystemCommand = SeatCommand | CloseSession
Command = RoomCommand | SystemCommand
