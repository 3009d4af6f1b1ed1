# SPDX-License-Identifier: Apache-2.0
"""Who is heard by somebody with fewer receive slots than there are voices that lead: those who speak at this moment.

The floor (`server.media.speakers`) is the same for everybody in a placement, and keeps a place through the pauses of a
sentence. A phone with two slots has no room for that: there a voice that is still gives way to one that is not. Pure.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Final

from server.ids import ParticipantId
from server.media.speakers import TURN_NS, Talker

STILL_NS: Final = 200_000_000
"""Longer than the gaps between words; little more than the early packets bring along (`voices.EARLY`)."""


class FewPlaces:
    """Places of one subscriber, who is nobody's listener but their own: `claim` is called for others only.

    Somebody who is awaited takes the place of somebody who is not; among equals who all speak they are held in turns.
    """

    __slots__ = ("_held", "_places")

    def __init__(self, places: int) -> None:
        self._places = places
        self._held: dict[ParticipantId, tuple[Talker, int]] = {}
        """With the time of getting the place, in this order."""

    def holds(self, participant: ParticipantId) -> bool:
        """Whether somebody has a place; asked for every packet of speech."""
        return participant in self._held

    @property
    def voices(self) -> tuple[ParticipantId, ...]:
        """Who has a place, in the order of getting it."""
        return tuple(self._held)

    def claim(self, talker: Talker, now_ns: int, awaited: Container[ParticipantId]) -> bool:
        """Somebody who leads speaks: whether a place was given to them just now, perhaps in place of another."""
        if talker.participant in self._held:
            return False
        if len(self._held) >= self._places:
            gives = self._giving(now_ns, awaited, urgent=talker.participant in awaited)
            if gives is None:
                return False
            del self._held[gives]
        self._held[talker.participant] = (talker, now_ns)
        return True

    def keep(self, led: Iterable[ParticipantId]) -> None:
        """Forget everybody else."""
        staying = self._held.keys() & set(led)
        self._held = {each: held for each, held in self._held.items() if each in staying}

    def _giving(self, now_ns: int, awaited: Container[ParticipantId], *, urgent: bool) -> ParticipantId | None:
        """Who is silent for the longest; if nobody is, who is not awaited; then who had their turn."""
        if not self._held:
            return None
        silent, (talker, _) = min(self._held.items(), key=lambda held: held[1][0].spoke_ns)
        if now_ns - talker.spoke_ns > STILL_NS:
            return silent
        rest = [each for each in self._held if each not in awaited]
        if urgent and rest:
            return rest[0]
        longest = next(iter(self._held if urgent else rest), None)
        if longest is None or now_ns - self._held[longest][1] <= TURN_NS:
            return None
        return longest
