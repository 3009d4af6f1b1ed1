# SPDX-License-Identifier: Apache-2.0
"""The agenda of a session that was opened without one."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from server.ids import PhaseId
from server.rooms.phases import Phase, PhaseKind, RoundPlan
from server.rooms.state import Agenda

_MINUTE: Final = 60_000


class Language(StrEnum):
    """In which a session is held; each person chooses the language of their own screen apart from this."""

    ENGLISH = "en"
    SPANISH = "es"


_MINUTES: Final[dict[PhaseKind, int]] = {
    PhaseKind.CHECK_IN: 15,
    PhaseKind.TOPIC: 20,
    PhaseKind.BREAKOUTS: 20,
    PhaseKind.REFLECTION: 15,
    PhaseKind.CLOSE: 5,
}

_WORDS: Final[dict[Language, dict[PhaseKind, tuple[str, str]]]] = {
    Language.ENGLISH: {
        PhaseKind.CHECK_IN: ("Check-in", "How are you arriving today? You may pass."),
        PhaseKind.TOPIC: ("Topic", "What would you like to talk about together?"),
        PhaseKind.BREAKOUTS: ("Small groups", "Share with a few others what has stayed with you."),
        PhaseKind.REFLECTION: ("Reflection", "What is one small step until we meet again?"),
        PhaseKind.CLOSE: ("Close", "Thank you for being here."),
    },
    Language.SPANISH: {
        PhaseKind.CHECK_IN: ("Bienvenida", "¿Cómo llegas hoy? Puedes pasar."),
        PhaseKind.TOPIC: ("Tema", "¿De qué te gustaría que habláramos?"),
        PhaseKind.BREAKOUTS: ("Grupos pequeños", "Comparte con unas pocas personas lo que más te ha quedado."),
        PhaseKind.REFLECTION: ("Reflexión", "¿Cuál es un pequeño paso hasta la próxima vez?"),
        PhaseKind.CLOSE: ("Cierre", "Gracias por estar aquí."),
    },
}


def default_agenda(language: Language = Language.ENGLISH) -> Agenda:
    """Check-in round, topic, breakouts, reflection with a goal, close: about 75 minutes."""
    phases = tuple(
        Phase(
            id=PhaseId(kind.value.replace("_", "-")),
            kind=kind,
            title=title,
            prompt=prompt,
            duration_ms=_MINUTES[kind] * _MINUTE,
            round=RoundPlan() if kind is PhaseKind.CHECK_IN else None,
        )
        for kind, (title, prompt) in _WORDS[language].items()
    )
    return Agenda(version=1, phases=phases)
