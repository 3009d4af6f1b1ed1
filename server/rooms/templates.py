# SPDX-License-Identifier: Apache-2.0
"""The agenda of a session that was opened without one."""

from __future__ import annotations

from typing import Final

from server.ids import PhaseId
from server.rooms.phases import Phase, PhaseKind, RoundPlan
from server.rooms.state import Agenda

_MINUTE: Final = 60_000


def default_agenda() -> Agenda:
    """Check-in round, topic, breakouts, reflection with a goal, close: about 75 minutes."""
    phases = (
        Phase(
            id=PhaseId("check-in"),
            kind=PhaseKind.CHECK_IN,
            title="Check-in",
            prompt="How are you arriving today? You may pass.",
            duration_ms=15 * _MINUTE,
            round=RoundPlan(),
        ),
        Phase(
            id=PhaseId("topic"),
            kind=PhaseKind.TOPIC,
            title="Topic",
            prompt="What would you like to talk about together?",
            duration_ms=20 * _MINUTE,
        ),
        Phase(
            id=PhaseId("breakouts"),
            kind=PhaseKind.BREAKOUTS,
            title="Small groups",
            prompt="Share with a few others what has stayed with you.",
            duration_ms=20 * _MINUTE,
        ),
        Phase(
            id=PhaseId("reflection"),
            kind=PhaseKind.REFLECTION,
            title="Reflection",
            prompt="What is one small step until we meet again?",
            duration_ms=15 * _MINUTE,
        ),
        Phase(
            id=PhaseId("close"),
            kind=PhaseKind.CLOSE,
            title="Close",
            prompt="Thank you for being here.",
            duration_ms=5 * _MINUTE,
        ),
    )
    return Agenda(version=1, phases=phases)
