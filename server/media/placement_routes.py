# SPDX-License-Identifier: Apache-2.0
"""The routes within one placement: what the people there share, and what each of them gets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from msgspec.structs import replace

from server.ids import MAIN, ParticipantId
from server.media.channel import Slot
from server.media.few_slots import FewPlaces
from server.media.peer import Peer, forwarded
from server.media.slots import Cast, Seats, Shown, cast_of, pictures, seat
from server.media.speakers import SILENT, Floor, Ranking, Talker
from server.media.voices import Voice
from server.ports import MAX_LEVELS, MAX_VOICES, UNTOLD, VoiceLevel, Watch
from server.rooms.routes import RouteGroup

NOBODY: Final = Cast()
_EMPTY: Final = RouteGroup(MAIN, (), (), ())

Claim = Callable[[Voice, int], None]


class Seating:
    """One subscriber: who is in each slot, whose picture is shown, and what the client was told of it."""

    __slots__ = ("few", "heard", "peer", "place", "seats", "seen", "shown", "told", "up", "watch")

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.watch: Watch = UNTOLD
        self.place: PlacementRoutes | None = None
        self.seats: Seats = (None,) * len(peer.slots)
        self.shown: tuple[Shown, ...] = ()
        self.heard: Seats = self.seats
        """Whose voice each slot gets, and below whose picture, if it is shown and the link bears it."""
        self.seen: Seats = self.seats
        self.told: tuple[Slot, ...] = ()
        self.few: FewPlaces | None = None
        """Whose voice comes first while there may be no slot for everyone who leads."""
        self.up = False

    @property
    def me(self) -> ParticipantId:
        """Whose slots these are."""
        return self.peer.participant

    @property
    def cast(self) -> Cast:
        """Of whom slots may be filled."""
        return NOBODY if self.place is None else self.place.cast

    def fill(self) -> tuple[Seats, Seats]:
        """Choose pictures and slots from the present cast; returns who is to be heard and seen in them."""
        cast, me, lines = self.cast, self.me, self.peer.pictures
        speaking = self.few.voices if self.few is not None else ()
        self.shown = pictures(cast, me, self.watch, len(self.seats), self.shown, lines)
        self.seats = seat(cast, me, self.shown, self.seats, speaking=speaking, lines=lines)
        if not self.up:
            return (None,) * len(self.seats), (None,) * len(self.seats)
        audible, visible = cast.audible if self.hears_all() else cast.led, cast.visible
        heard = tuple([source if source in audible else None for source in self.seats])
        return heard, tuple([source if source in visible else None for source in self.seats])

    def crowd(self) -> FewPlaces | None:
        """Follow whether there may be no slot for somebody who leads, and who of them has a place then."""
        if not self.cast.cramps(self.me, len(self.seats)):
            self.few = None
        elif self.few is None:
            self.few = FewPlaces(len(self.seats))
        else:
            self.few.keep(self.cast.led)
        return self.few

    def hears_all(self) -> bool:
        """Whether every voice is sent, and not only the leading ones."""
        return self.cast.hears_all(self.me, len(self.seats))


class PlacementRoutes:
    """One placement. `recast` follows its routes and peers, `revoice` and `rerank` its speakers."""

    __slots__ = ("_cramped", "_entered", "cast", "floor", "group", "ranking", "seatings")

    def __init__(self) -> None:
        self.group = _EMPTY
        self.cast = NOBODY
        self.floor = Floor(MAX_VOICES)
        self.ranking = Ranking()
        self.seatings: dict[ParticipantId, Seating] = {}
        """Of the members who have a peer."""
        self._cramped: list[tuple[Seating, FewPlaces]] = []
        self._entered = False

    def enter(self, seating: Seating) -> None:
        """Somebody has come, or their peer has."""
        self.seatings[seating.me] = seating
        self._entered = True

    def recast(self, claim: Claim) -> bool:
        """Take over what the room lets through now; whether anybody's slots may change by it."""
        for awaited in self.group.awaited:
            self.floor.leave(awaited)
        before, seatings = self.cast, self.seatings
        self.cast = cast_of(self.group, lambda each: _publishes(seatings, each), self.floor.voices, self.ranking.recent)
        self.ranking.keep(self.cast.everyone)
        self._rule(claim)
        self._forget(before.led ^ self.cast.led)
        return self.cast != before

    def revoice(self, claim: Claim) -> tuple[ParticipantId, ...]:
        """Follow the floor; returns whose voice is led or not led any more."""
        before = self.cast.led
        self.cast = self.cast.with_voices(self.floor.voices)
        self._rule(claim)
        changed = tuple(before ^ self.cast.led)
        self._forget(changed)
        return changed

    def claim_few(self, talker: Talker, now_ns: int) -> list[Seating]:
        """Somebody who leads speaks: who gets this voice in place of another now, having few slots."""
        given = []
        speaker, awaited = talker.participant, self.cast.awaited
        for seating, few in self._cramped:
            if few.holds(speaker) or seating.me == speaker:
                continue
            before = few.voices
            if few.claim(talker, now_ns, awaited) and speaker not in seating.heard:
                given.append(seating)
                self._forget(set(before).difference(few.voices))
        return given

    def rerank(self, now_ns: int) -> bool:
        """Follow those who dominate; whether others are shown now."""
        voices = (voice_of(self.seatings[each].peer) for each in self.cast.heard)
        changed = self.ranking.update((voice.talker for voice in voices if voice is not None), now_ns)
        if changed:
            everyone = self.cast.everyone
            self.cast = replace(self.cast, recent=tuple(each for each in self.ranking.recent if each in everyone))
        return changed

    def take_levels(self) -> tuple[VoiceLevel, ...]:
        """Who was loudest since the last call, the loudest first."""
        voices = [(each, voice_of(self.seatings[each].peer)) for each in self.cast.heard]
        taken = [(each, voice.talker.take_loudest()) for each, voice in voices if voice is not None]
        levels = [VoiceLevel(each, level) for each, level in taken if level < SILENT]
        return tuple(sorted(levels, key=lambda heard: heard.level)[:MAX_LEVELS])

    def leave(self, participant: ParticipantId) -> None:
        """Somebody has gone from here, or their peer has."""
        self.floor.leave(participant)
        self.seatings.pop(participant, None)

    def _rule(self, claim: Claim) -> None:
        """Tell the microphones what they may, and that speech is a claim while somebody does not get every voice."""
        cast = self.cast
        self._cramped = [(seating, few) for seating in self.seatings.values() if (few := seating.crowd()) is not None]
        scarce = any(not seating.hears_all() for seating in self.seatings.values())
        for participant, seating in self.seatings.items():
            voice = voice_of(seating.peer)
            if voice is not None:
                if self._entered:
                    voice.forget()
                asks = scarce and (bool(self._cramped) or participant not in cast.leading)
                voice.rule(heard=participant in cast.audible, claim=claim if asks else None)
        self._entered = False

    def _forget(self, participants: Iterable[ParticipantId]) -> None:
        """What these have said was heard, or is not to be heard later."""
        for participant in participants:
            seating = self.seatings.get(participant)
            voice = voice_of(seating.peer) if seating is not None else None
            if voice is not None:
                voice.forget()


def _publishes(seatings: Mapping[ParticipantId, Seating], participant: ParticipantId) -> bool:
    seating = seatings.get(participant)
    return seating is not None and bool(forwarded(seating.peer))


def voice_of(peer: Peer) -> Voice | None:
    """The peer's microphone, if it has one."""
    return peer.microphone.voice if peer.microphone is not None else None
