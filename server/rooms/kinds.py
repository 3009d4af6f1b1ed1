# SPDX-License-Identifier: Apache-2.0
"""Which of several unions a message belongs to, by its class alone.

`isinstance` asks the classes of a union one after another, and each Struct that it is not costs as much as a call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, TypeVar, get_args

from server.rooms import events as e

if TYPE_CHECKING:
    from typing_extensions import TypeIs

T = TypeVar("T")


class Kinds(Generic[T]):
    """The classes of a union, of which none is derived from."""

    __slots__ = ("_classes",)

    def __init__(self, union: object) -> None:
        """`union`: T itself."""
        self._classes: Final[frozenset[type]] = frozenset(get_args(union))

    def has(self, message: object) -> TypeIs[T]:
        """Whether this is one of them."""
        return type(message) in self._classes


SESSION_EVENTS: Final = Kinds[e.SessionEvent](e.SessionEvent)
SEAT_EVENTS: Final = Kinds[e.SeatEvent](e.SeatEvent)
PERSON_EVENTS: Final = Kinds[e.PersonEvent](e.PersonEvent)
SHARED_EVENTS: Final = Kinds[e.SharedEvent](e.SharedEvent)
AGENDA_EVENTS: Final = Kinds[e.AgendaEvent](e.AgendaEvent)
ROUND_EVENTS: Final = Kinds[e.RoundEvent](e.RoundEvent)
BREAKOUT_EVENTS: Final = Kinds[e.BreakoutEvent](e.BreakoutEvent)
