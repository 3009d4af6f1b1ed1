# SPDX-License-Identifier: Apache-2.0
"""Who is in which receive slot of a subscriber, and whose picture is shown: sticky, so that tiles keep their people.

With as many slots as sources everyone has one. With fewer, voices come first (those that are awaited have their slot
before they begin), then the tiles that the client shows, then others. Some slots are kept without a picture, so that
a voice that begins takes nobody's picture away. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from server.ids import ParticipantId
from server.media.channel import Slot
from server.ports import MAX_VOICES, PauseReason, Watch
from server.rooms.routes import RouteGroup

PICTURES_PER_PLACEMENT: Final = 1500
VOICES_PER_PLACEMENT: Final = 1200
"""Lines that carry something at once in one placement, the packet budget of a large one: 300 people who get three
voices at 50 packets a second and five small pictures at 18 are 72,000 packets a second."""
FEWEST_PICTURES: Final = 5
"""Everyone may have as many, however many people there are: four and a speaker."""
VOICE_SHARE: Final = 4
"""One slot in so many carries no picture, for the voices that begin."""

Seats = tuple[ParticipantId | None, ...]


class Cast(Struct, frozen=True):
    """What all subscribers in one placement share: who can be had, each tuple with the most important first.

    `voices` speak now, `recent` spoke lately for more than a moment; `heard` are the sources whose voice the room lets
    through, `seen` those whose picture it does. Nobody is in any of these who has no peer.

    `led` are those who are heard by everybody, however few slots they have.
    """

    heard: tuple[ParticipantId, ...] = ()
    seen: tuple[ParticipantId, ...] = ()
    awaited: tuple[ParticipantId, ...] = ()
    voices: tuple[ParticipantId, ...] = ()
    recent: tuple[ParticipantId, ...] = ()
    staff: tuple[ParticipantId, ...] = ()
    everyone: frozenset[ParticipantId] = frozenset()
    audible: frozenset[ParticipantId] = frozenset()
    visible: frozenset[ParticipantId] = frozenset()
    led: frozenset[ParticipantId] = frozenset()
    subscribers: int = 0

    @property
    def leading(self) -> tuple[ParticipantId, ...]:
        """Whose voices need a slot before anybody else."""
        return self.awaited + self.voices

    def with_voices(self, voices: tuple[ParticipantId, ...]) -> Cast:
        """The same with others who speak."""
        voices = _those(voices, self.audible)
        return replace(self, voices=voices, led=self.audible & {*self.awaited, *voices})

    def fits(self, me: ParticipantId, slots: int) -> bool:
        """Whether there is a slot for everyone."""
        return len(self.everyone) - (me in self.everyone) <= slots

    def cramps(self, me: ParticipantId, slots: int) -> bool:
        """Whether there may be no slot for somebody who leads."""
        return not self.fits(me, slots) and slots < MAX_VOICES + len(self.awaited)

    def hears_all(self, me: ParticipantId, slots: int) -> bool:
        """Whether every voice is sent all the time; otherwise only the `leading`."""
        return self.fits(me, slots) and len(self.heard) * self.subscribers <= VOICES_PER_PLACEMENT


class Shown(Struct, frozen=True):
    """A picture that a subscriber is to get: `height` in device pixels, and whether its person chose it."""

    participant: ParticipantId
    height: int
    pinned: bool = False


def cast_of(
    group: RouteGroup,
    publishing: Callable[[ParticipantId], bool],
    voices: tuple[ParticipantId, ...] = (),
    recent: tuple[ParticipantId, ...] = (),
) -> Cast:
    """The cast of a placement; `publishing` tells who is there with media."""
    # A source must be a member of the very group: whoever is named as heard elsewhere is not.
    present = {member for member in group.members if publishing(member)}
    heard = tuple(each for each in group.audio if each in present)
    seen = tuple(each for each in group.video if each in present)
    audible, visible = frozenset(heard), frozenset(seen)
    everyone = audible | visible
    cast = Cast(
        heard=heard,
        seen=seen,
        awaited=_those(group.awaited, everyone),
        recent=_those(recent, everyone),
        staff=_those(group.staff, everyone),
        everyone=everyone,
        audible=audible,
        visible=visible,
        subscribers=len(group.members),
    )
    return cast.with_voices(voices)


def pictures(
    cast: Cast, me: ParticipantId, watch: Watch, slots: int, before: Sequence[Shown], lines: int | None = None
) -> tuple[Shown, ...]:
    """Whose pictures a subscriber is to get, most important first; `before` stay before others come.

    `lines`: so many of the slots have a line for a picture (None: all).
    """
    tiles = [tile for tile in watch.tiles if tile.participant in cast.visible and tile.participant != me]
    chosen = {tile.participant: Shown(tile.participant, tile.height, tile.pinned) for tile in reversed(tiles)}
    listed = tuple(reversed(chosen.values()))
    # A tile whose person has gone is room for another: after a move the new people are there at once.
    room = watch.others + len(watch.tiles) - len(tiles)
    stay = (shown.participant for shown in before)
    order = chain(cast.awaited, cast.recent, cast.staff, stay, cast.seen)
    free = _distinct(order, lambda each: each in cast.visible and each != me and each not in chosen)
    others = (Shown(each, watch.others_height) for each in islice(free, room))
    return tuple(islice(chain(listed, others), _limit(cast, me, slots, slots if lines is None else lines)))


def seat(
    cast: Cast,
    me: ParticipantId,
    shown: Sequence[Shown],
    before: Seats,
    *,
    speaking: Sequence[ParticipantId] = (),
    lines: int | None = None,
) -> Seats:
    """The slots after a change: as many as `before`, nobody twice; who stays does not move.

    `speaking` come before those who lead: with few slots a hand that is raised in silence is not worth a lone speaker.
    `lines`: only so many of the slots, the first ones, have a line for a picture (None: all).
    """
    seen = frozenset(each.participant for each in shown)
    lines = len(before) if lines is None else lines
    if cast.fits(me, len(before)):
        everyone = tuple(_distinct(chain(cast.heard, cast.seen), lambda each: each != me))
        return assign(before, everyone, seen, lines)
    lately = {each: rank for rank, each in enumerate(cast.recent)}
    stay = sorted((each for each in before if each is not None), key=lambda each: lately.get(each, len(lately)))
    order = chain(speaking, cast.leading, (each.participant for each in shown), stay, cast.heard, cast.seen)
    wanted = _distinct(order, lambda each: each in cast.everyone and each != me)
    return assign(before, tuple(islice(wanted, len(before))), seen, lines)


def assign(
    before: Seats, chosen: Sequence[ParticipantId], seen: frozenset[ParticipantId] = frozenset(), lines: int = 0
) -> Seats:
    """Give slots to the chosen, not more than there are: who has one keeps it.

    Those of them who are `seen` need one of the first `lines` slots, if only those have a line for a picture; who is
    in one of these without being seen makes room then.

    Newcomers take the lowest of those that were empty, then those that are given up in this moment. In an empty slot a
    voice begins at half of the receiver's buffer; behind another one it waits until the whole buffer has been played.
    """
    staying = set(chosen)
    after = [source if source in staying else None for source in before]
    some = 0 < lines < len(before)
    if some:
        _make_room(after, seen & staying, lines)
    seated = set(after)
    free = [index for index, source in enumerate(after) if source is None]
    free.sort(key=lambda index: before[index] is not None)
    newcomers = [source for source in chosen if source not in seated]
    if some:
        newcomers.sort(key=lambda source: source not in seen)
        first = [index for index in free if index < lines]
        many = sum(source in seen for source in newcomers)
        free = [*first[:many], *(index for index in free if index >= lines), *first[many:]]
    for index, newcomer in zip(free, newcomers, strict=False):
        after[index] = newcomer
    return tuple(after)


def _make_room(after: list[ParticipantId | None], seen: frozenset[ParticipantId], lines: int) -> None:
    """Whoever is to be seen leaves a slot without a line for it; of the first ones as many are emptied as it takes."""
    for index in range(lines, len(after)):
        if after[index] in seen:
            after[index] = None
    wanted = len(seen) - sum(source in seen for source in after[:lines])
    for index in reversed(range(lines)):
        if wanted > after[:lines].count(None) and after[index] is not None and after[index] not in seen:
            after[index] = None


def describe(seats: Seats, cast: Cast, paused: Callable[[int], PauseReason | None]) -> tuple[Slot, ...]:
    """The slots that are not empty, with what of each person the room lets through; `paused` by slot."""
    return tuple(
        Slot(index, source, source in cast.audible, video, paused(index) if video else None)
        for index, source in enumerate(seats)
        if source is not None
        for video in (source in cast.visible,)
    )


def _limit(cast: Cast, me: ParticipantId, slots: int, lines: int) -> int:
    affordable = max(FEWEST_PICTURES, PICTURES_PER_PLACEMENT // max(1, cast.subscribers))
    return min(affordable, lines, slots if cast.fits(me, slots) else slots - slots // VOICE_SHARE)


def _those(people: Iterable[ParticipantId], among: frozenset[ParticipantId]) -> tuple[ParticipantId, ...]:
    return tuple(each for each in people if each in among)


def _distinct(people: Iterable[ParticipantId], wanted: Callable[[ParticipantId], bool]) -> Iterator[ParticipantId]:
    """Those who are wanted, each once, in order; no further than is asked for."""
    known: set[ParticipantId] = set()
    for each in people:
        if each not in known and wanted(each):
            known.add(each)
            yield each
