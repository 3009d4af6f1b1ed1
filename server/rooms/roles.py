# SPDX-License-Identifier: Apache-2.0
"""Who may send which command, where, and when: one table."""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from msgspec import Struct

from server.errors import CommandRejected, RejectCode
from server.ids import LOBBY, ParticipantId
from server.rooms import commands as c
from server.rooms.commands import RoomCommand
from server.rooms.people import leads, require
from server.rooms.phases import SessionStatus
from server.rooms.state import Participant, Role, RoomView


class Where(Enum):
    """In which placement a right holds."""

    ANYWHERE = auto()
    """Also in the lobby."""
    ADMITTED = auto()
    LED = auto()
    """Moderators: wherever they are. Leaders: in the breakout they lead, and only for the people there."""


class Grant(Struct, frozen=True):
    """The right to send a command. What it may be done to is checked where the command is decided."""

    roles: frozenset[Role]
    where: Where
    statuses: frozenset[SessionStatus]


EVERYONE: Final = frozenset(Role)
STAFF: Final = frozenset({Role.LEADER, Role.MODERATOR})
MODERATORS: Final = frozenset({Role.MODERATOR})
CALLERS: Final = frozenset({Role.PARTICIPANT, Role.LEADER})

BEFORE_END: Final = frozenset({SessionStatus.WAITING, SessionStatus.LIVE, SessionStatus.DEBRIEF})
"""Any time before the room is closed for good."""
TOGETHER: Final = frozenset({SessionStatus.WAITING, SessionStatus.LIVE})
"""While participants are here."""
LIVE: Final = frozenset({SessionStatus.LIVE})

_OWN: Final = Grant(EVERYONE, Where.ADMITTED, BEFORE_END)
_ALWAYS: Final = Grant(EVERYONE, Where.ANYWHERE, BEFORE_END)
_KEEPING: Final = Grant(MODERATORS, Where.ADMITTED, BEFORE_END)
_GUIDING: Final = Grant(MODERATORS, Where.ADMITTED, TOGETHER)
_TENDING: Final = Grant(STAFF, Where.LED, BEFORE_END)
_CIRCLE: Final = Grant(EVERYONE, Where.ADMITTED, TOGETHER)
_CIRCLE_STAFF: Final = Grant(STAFF, Where.LED, TOGETHER)

GRANTS: Final[dict[type[RoomCommand], Grant]] = {
    c.Admit: _KEEPING,
    c.Deny: _KEEPING,
    c.SetLocked: _KEEPING,
    c.SetAutoAdmit: _KEEPING,
    c.Leave: _ALWAYS,
    c.SetMicrophone: _OWN,
    c.SetCamera: _OWN,
    c.RaiseHand: _OWN,
    c.LowerHand: _OWN,
    c.React: _OWN,
    c.Rename: _ALWAYS,
    c.SendChat: _OWN,
    c.SetGoal: _OWN,
    c.Mute: _TENDING,
    c.MuteEveryone: _TENDING,
    c.SetHardMute: _TENDING,
    c.TurnCameraOff: _TENDING,
    c.Remove: _KEEPING,
    c.Spotlight: _KEEPING,
    c.SetRole: _KEEPING,
    c.EndSession: _KEEPING,
    c.NextPhase: _GUIDING,
    c.PreviousPhase: Grant(MODERATORS, Where.ADMITTED, LIVE),
    c.SkipPhase: _GUIDING,
    c.ExtendPhase: Grant(MODERATORS, Where.ADMITTED, LIVE),
    c.EditAgenda: _GUIDING,
    c.StartRound: _CIRCLE_STAFF,
    c.TakeTurn: _CIRCLE,
    c.FinishTurn: _CIRCLE,
    c.PassTurn: _CIRCLE,
    c.ComeBackLater: _CIRCLE,
    c.NextTurn: _CIRCLE_STAFF,
    c.GiveTurn: _CIRCLE_STAFF,
    c.EndRound: _CIRCLE_STAFF,
    c.DraftPlan: _GUIDING,
    c.EditPlan: _GUIDING,
    c.DiscardPlan: _GUIDING,
    c.OpenBreakouts: _GUIDING,
    c.Move: _GUIDING,
    c.Swap: _GUIDING,
    c.MergeBreakouts: _GUIDING,
    c.SplitBreakout: _GUIDING,
    c.AddBreakout: _GUIDING,
    c.RenameBreakout: _GUIDING,
    c.CloseBreakout: _GUIDING,
    c.CloseBreakouts: _GUIDING,
    c.ExtendBreakouts: _GUIDING,
    c.UndoBreakouts: _GUIDING,
    c.Visit: Grant(STAFF, Where.ADMITTED, TOGETHER),
    c.Broadcast: _GUIDING,
    c.RequestHelp: Grant(CALLERS, Where.ADMITTED, TOGETHER),
    c.CancelHelp: _CIRCLE,
    c.AcknowledgeHelp: _KEEPING,
}


def authorize(state: RoomView, command: RoomCommand, actor: ParticipantId) -> Participant:
    """Whoever acts, if they may send this command here and now.

    Raises CommandRejected: NOT_HERE (no seat), NOT_ADMITTED, NOT_ALLOWED (role or place), NOT_NOW (state of the
    session).
    """
    person = require(state, actor)
    grant = GRANTS[type(command)]
    if person.placement == LOBBY and grant.where is not Where.ANYWHERE:
        raise CommandRejected(RejectCode.NOT_ADMITTED)
    if person.role not in grant.roles or not _holds_here(state, grant, person):
        raise CommandRejected(RejectCode.NOT_ALLOWED)
    if state.status not in grant.statuses:
        raise CommandRejected(RejectCode.NOT_NOW)
    return person


def _holds_here(state: RoomView, grant: Grant, person: Participant) -> bool:
    return grant.where is not Where.LED or person.role is Role.MODERATOR or leads(state, person)
