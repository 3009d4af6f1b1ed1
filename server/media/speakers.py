# SPDX-License-Identifier: Apache-2.0
"""Who speaks: from the levels in the packets (RFC 6464) to those who are heard and those who are shown.

Two speeds. The *floor* decides in the packet path who is heard by people with fewer slots than there are voices: two
loud packets are enough for a free place, since what comes too late is a lost syllable. The *ranking* decides a few
times a second whose picture is worth a place: only who has spoken for about a second, since a picture that comes and
goes disturbs. Time is nanoseconds of one monotonic clock; levels are 0 (loud) to 127 (silence).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from server.ids import ParticipantId

SILENT: Final = 127
AUDIBLE: Final = 55
"""Quieter than this is never speech."""
MARGIN: Final = 9
"""How far speech stands out of somebody's own noise, in dB: a fan or a street holds no place."""
STILL: Final = 75
"""No background is taken to be quieter than this: a noise that begins is known as one after some seconds."""
BEGUN: Final = 2
"""Loud packets, less the quiet ones between them, after which somebody speaks: a single key or click is one."""
INSISTING: Final = 25
"""As many (half a second) before somebody who speaks is put off for another: a cough is shorter."""
_MOST: Final = 50

PAUSE_NS: Final = 800_000_000
"""A pause within a sentence; whoever is silent for longer gives way at once."""
RELEASE_NS: Final = 3_000_000_000
"""After so long a silence the place is given back without anybody asking for it."""
TURN_NS: Final = 4_000_000_000
"""With more people speaking at once than are heard, each keeps the place at least this long, then they take turns."""
LOUDER: Final = 6
"""dB by which somebody must be louder to be heard before the turn of a quieter one is over."""
_BREATH_NS: Final = 200_000_000
"""Whoever asks for a place without having one speaks at least this often."""

_FRACTION: Final = 6
"""Noise and strength are kept in 1/64 dB."""


class Talker:
    """One microphone. `hear` is called for every packet that carries a level."""

    __slots__ = ("_noise", "loudest", "participant", "run", "since_ns", "spoke_ns", "strength")

    def __init__(self, participant: ParticipantId) -> None:
        self.participant = participant
        self.loudest = SILENT
        """Since `take_loudest`."""
        self.run = 0
        self.spoke_ns = -RELEASE_NS
        self.since_ns = 0
        """When the floor was taken."""
        self.strength = SILENT << _FRACTION
        self._noise = STILL << _FRACTION

    def hear(self, level: int, now_ns: int) -> bool:
        """Take note of a packet; returns whether its sender is speaking."""
        self.loudest = min(self.loudest, level)
        fine = level << _FRACTION
        noise = self._noise
        # To a quieter background within a few packets, as the gaps between words are; to a louder one at 1.5 dB/s.
        self._noise = min(STILL << _FRACTION, noise + (fine - noise >> 3)) if fine > noise else noise - 2
        if level > AUDIBLE or noise - fine < MARGIN << _FRACTION:
            if self.run:
                self.run -= 1
            return False
        if self.run < _MOST:
            self.run += 1
        self.spoke_ns = now_ns
        self.strength += fine - self.strength >> 3
        return self.run >= BEGUN

    def take_loudest(self) -> int:
        """The loudest level since the last call; SILENT if there was nothing."""
        loudest, self.loudest = self.loudest, SILENT
        return loudest


class Floor:
    """Up to `places` people who are heard at once, beside those who always are."""

    __slots__ = ("_asking", "_places", "_voices")

    def __init__(self, places: int) -> None:
        self._places = places
        self._voices: dict[ParticipantId, Talker] = {}
        self._asking: dict[ParticipantId, Talker] = {}
        """Who speaks and is not heard, the longest first."""

    @property
    def voices(self) -> tuple[ParticipantId, ...]:
        """Who has a place, in the order of getting it."""
        return tuple(self._voices)

    def claim(self, talker: Talker, now_ns: int) -> bool:
        """Somebody speaks: whether a place was given to them just now, perhaps in place of another."""
        if talker.participant in self._voices:
            return False
        self._dismiss(now_ns - PAUSE_NS)
        if len(self._voices) >= self._places:
            displaced = self._weakest(talker, now_ns)
            if displaced is None:
                self._asking[talker.participant] = talker
                return False
            del self._voices[displaced.participant]
            displaced.run = 0
        self._asking.pop(talker.participant, None)
        talker.since_ns = now_ns
        self._voices[talker.participant] = talker
        return True

    def leave(self, participant: ParticipantId) -> bool:
        """Who has gone, or is heard anyway, needs no place; whether they had one."""
        self._asking.pop(participant, None)
        return self._voices.pop(participant, None) is not None

    def release(self, now_ns: int) -> bool:
        """Take the places of those who have long been silent; whether there were any."""
        return self._dismiss(now_ns - RELEASE_NS)

    def _dismiss(self, since_ns: int) -> bool:
        silent = [talker for talker in self._voices.values() if talker.spoke_ns < since_ns]
        for talker in silent:
            del self._voices[talker.participant]
        return bool(silent)

    def _weakest(self, claimant: Talker, now_ns: int) -> Talker | None:
        """Who has to give way to a claimant who insists: somebody much softer, else who had the longest turn."""
        if claimant.run < INSISTING:
            return None
        softest = max(self._voices.values(), key=lambda talker: talker.strength)
        if softest.strength - claimant.strength > LOUDER << _FRACTION:
            return softest
        if not self._is_next(claimant, now_ns):
            return None
        longest = next(iter(self._voices.values()))
        return longest if now_ns - longest.since_ns > TURN_NS else None

    def _is_next(self, claimant: Talker, now_ns: int) -> bool:
        """Whether nobody has been asking for longer; who has fallen silent does not ask any more."""
        for talker in list(self._asking.values()):
            if now_ns - talker.spoke_ns <= _BREATH_NS:
                return talker is claimant
            del self._asking[talker.participant]
        return True


STAGE: Final = 8
"""How many of those who spoke last are remembered."""
_RISE: Final = 8
_FULL: Final = 1024
_ON: Final = _FULL // 2
_OFF: Final = _FULL // 4
_TICK_NS: Final = 250_000_000
"""Speech within this time of an update counts as speech during it."""


class Ranking:
    """Those who spoke last for more than a moment, the latest first. `update` about five times a second.

    The order only changes when somebody begins to dominate, so that a discussion does not shuffle it all the time.
    """

    __slots__ = ("_active_ns", "_dominant", "_score", "recent")

    def __init__(self) -> None:
        self.recent: tuple[ParticipantId, ...] = ()
        self._score: dict[ParticipantId, int] = {}
        self._dominant: set[ParticipantId] = set()
        self._active_ns: dict[ParticipantId, int] = {}

    def update(self, talkers: Iterable[Talker], now_ns: int) -> bool:
        """Follow the talkers who may be heard (who is not among them is forgotten); whether `recent` has changed."""
        before, scores = self.recent, self._score
        self._score = {}
        risen: list[ParticipantId] = []
        for talker in talkers:
            score = scores.get(talker.participant, 0)
            speaking = talker.run > BEGUN and now_ns - talker.spoke_ns < _TICK_NS
            score += ((_FULL if speaking else 0) - score) // _RISE
            if score <= 0:
                continue
            self._score[talker.participant] = score
            if self._dominates(talker.participant, score):
                risen.append(talker.participant)
            if talker.participant in self._dominant and speaking:
                self._active_ns[talker.participant] = now_ns
        self._reorder(risen)
        return self.recent != before

    def keep(self, participants: frozenset[ParticipantId]) -> None:
        """Forget everybody else."""
        self.recent = tuple(each for each in self.recent if each in participants)
        self._dominant &= participants
        self._active_ns = {each: at for each, at in self._active_ns.items() if each in participants}

    def _dominates(self, participant: ParticipantId, score: int) -> bool:
        """Whether this is the moment at which they begin to."""
        if score < _OFF:
            self._dominant.discard(participant)
        if score < _ON or participant in self._dominant:
            return False
        self._dominant.add(participant)
        return True

    def _reorder(self, risen: list[ParticipantId]) -> None:
        self._dominant.intersection_update(self._score)
        if risen:
            order = sorted(self._active_ns, key=lambda each: -self._active_ns[each])
            self.recent = tuple(dict.fromkeys([*risen, *order]))[:STAGE]
            self._active_ns = {each: self._active_ns.get(each, 0) for each in self.recent}
