# SPDX-License-Identifier: Apache-2.0
"""Phases of a session and the states of the session itself."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from msgspec import Struct

from server.ids import PhaseId


class PhaseKind(StrEnum):
    """What a phase is for; decides which tools it opens with."""

    CHECK_IN = "check_in"
    TOPIC = "topic"
    BREAKOUTS = "breakouts"
    REFLECTION = "reflection"
    BREAK = "break"
    CLOSE = "close"
    CUSTOM = "custom"


class RoundOrder(StrEnum):
    """How the order of a round comes about."""

    LIST = "list"
    RANDOM = "random"
    VOLUNTEER = "volunteer"


class SessionStatus(StrEnum):
    """Life of a session."""

    WAITING = "waiting"
    """Open; people gather; no phase has begun."""
    LIVE = "live"
    DEBRIEF = "debrief"
    """Over for participants; staff stay."""
    ENDED = "ended"


class EndReason(StrEnum):
    """Why a session is over."""

    OVER = "over"
    """It has come to its end."""
    CANCELLED = "cancelled"
    """It does not take place, or not on."""
    SAFETY = "safety"
    """Somebody has to be protected."""


SESSION_TRANSITIONS: Final[dict[SessionStatus, frozenset[SessionStatus]]] = {
    SessionStatus.WAITING: frozenset({SessionStatus.LIVE, SessionStatus.ENDED}),
    SessionStatus.LIVE: frozenset({SessionStatus.LIVE, SessionStatus.DEBRIEF, SessionStatus.ENDED}),
    SessionStatus.DEBRIEF: frozenset({SessionStatus.ENDED}),
    SessionStatus.ENDED: frozenset(),
}


class RoundPlan(Struct, frozen=True, forbid_unknown_fields=True):
    """The round that a phase opens with. `turn_ms` is a soft hint, never a cut."""

    order: RoundOrder = RoundOrder.LIST
    turn_ms: int = 120_000
    no_cross_talk: bool = True


class Phase(Struct, frozen=True, forbid_unknown_fields=True):
    """One agenda item. `duration_ms` 0: no time limit. A phase never ends by itself; its timer only informs."""

    id: PhaseId
    kind: PhaseKind
    title: str
    prompt: str = ""
    duration_ms: int = 0
    round: RoundPlan | None = None
    skipped: bool = False
