# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from server.ids import MAIN, ParticipantId
from server.media.channel import Slot
from server.media.slots import Cast, Seats, Shown, assign, cast_of, describe, pictures, seat
from server.ports import MAX_TILES, UNTOLD, PauseReason, Tile, Watch
from server.rooms.routes import RouteGroup

ANA, BO, CLEO, DAN = (ParticipantId(name) for name in ("ana", "bo", "cleo", "dan"))
CROWD = tuple(ParticipantId(f"p{number}") for number in range(20))
ME = ParticipantId("me")
NOTHING = Watch((), 0, 0)


def group(audio: tuple[ParticipantId, ...], video: tuple[ParticipantId, ...]) -> RouteGroup:
    """A group of all four."""
    return RouteGroup(placement=MAIN, members=(ANA, BO, CLEO, DAN), audio=audio, video=video)


def crowd(
    awaited: tuple[ParticipantId, ...] = (),
    voices: tuple[ParticipantId, ...] = (),
    recent: tuple[ParticipantId, ...] = (),
    people: tuple[ParticipantId, ...] = CROWD,
) -> Cast:
    """Everyone is on air, and so is the one who watches."""
    on_air = RouteGroup(MAIN, (*people, ME), audio=(*people, ME), video=(*people, ME), awaited=awaited)
    return cast_of(on_air, lambda _: True, voices, recent)


def names(shown: tuple[Shown, ...]) -> tuple[ParticipantId, ...]:
    """Only who."""
    return tuple(each.participant for each in shown)


def show(*people: ParticipantId, others: int = 0) -> Watch:
    """Tiles of one size."""
    return Watch(tuple(Tile(each, 360) for each in people), others, 180)


# -- who can be had ----------------------------------------------------------------------------------------------------


def test_a_cast_is_who_is_there() -> None:
    """Nobody without a peer is in it, nor anybody who is named as heard in a group they are not in."""
    cast = cast_of(group((CLEO, ME), (ANA, BO, CLEO, DAN)), {ANA, BO, CLEO, ME}.__contains__)
    assert (cast.heard, cast.seen) == ((CLEO,), (ANA, BO, CLEO))
    assert cast.everyone == {ANA, BO, CLEO}


# -- slots -------------------------------------------------------------------------------------------------------------


def test_a_newcomer_takes_the_lowest_free_slot() -> None:
    """Bo left the second slot, Dan takes it, the others do not move."""
    assert assign((ANA, BO, CLEO), (DAN, CLEO, ANA)) == (ANA, DAN, CLEO)


def test_after_a_move_the_new_people_come_to_slots_that_were_empty() -> None:
    """There nothing of others is left to be played before them; only when there are none, to slots just given up."""
    assert assign((ANA, BO, None, None, None), (CLEO, DAN)) == (None, None, CLEO, DAN, None)
    assert assign((ANA, BO, None), (CLEO, DAN)) == (DAN, None, CLEO)


def test_the_important_displace_the_rest() -> None:
    """Who is not chosen is replaced, nobody else."""
    assert assign((ANA, BO), (CLEO, BO)) == (CLEO, BO)


def test_whose_picture_is_shown_is_where_there_is_a_line_for_it() -> None:
    """Others make room for them, take slots without one first, and stay where they are if they can."""
    seen = frozenset((CLEO,))
    assert assign((None,) * 4, (ANA, BO, CLEO), seen, 2) == (CLEO, None, ANA, BO)
    assert assign((ANA, BO, CLEO, None), (ANA, BO, CLEO), seen, 2) == (ANA, CLEO, None, BO)
    assert assign((ANA, BO, CLEO, DAN), (ANA, CLEO, DAN, BO), seen, 2) == (ANA, CLEO, BO, DAN)
    assert assign((CLEO, ANA, BO, None), (ANA, BO, CLEO), seen, 2) == (CLEO, ANA, BO, None)


def test_with_enough_slots_everyone_has_one() -> None:
    """Voices come before those who are only seen; oneself never."""
    cast = cast_of(group((CLEO,), (ANA, BO, CLEO, DAN)), {ANA, BO, CLEO, DAN}.__contains__)
    assert seat(cast, ANA, (), (None,) * 4) == (CLEO, BO, DAN, None)


def test_who_is_awaited_has_a_slot_before_they_speak() -> None:
    """Though nobody shows them, and all slots are taken by people who are shown."""
    full: Seats = CROWD[:4]
    shown = tuple(Shown(each, 360) for each in CROWD[:4])
    assert seat(crowd(awaited=(CROWD[9],)), ME, shown, full) == (*CROWD[:3], CROWD[9])


def test_a_voice_takes_the_slot_of_who_was_silent_longest() -> None:
    """Not of one who is shown, nor of one who spoke lately."""
    cast = crowd(voices=(CROWD[9],), recent=(CROWD[3], CROWD[1]))
    assert seat(cast, ME, (Shown(CROWD[0], 360),), CROWD[:4]) == (CROWD[0], CROWD[1], CROWD[9], CROWD[3])


def test_who_fell_silent_stays_until_the_slot_is_needed() -> None:
    """Slots change when somebody needs one, not when somebody stops."""
    before = seat(crowd(voices=CROWD[8:11]), ME, (), CROWD[:4])
    assert seat(crowd(), ME, (), before) == before


# -- pictures ----------------------------------------------------------------------------------------------------------


def test_tiles_come_first_with_their_sizes() -> None:
    """Then others, in the order of turn, speakers, and the rest; oneself and those without a picture never."""
    cast = crowd(awaited=(CROWD[7],), recent=(CROWD[8], CROWD[2]))
    watch = Watch((Tile(CROWD[2], 720, pinned=True), Tile(ME, 90), Tile(CROWD[3], 90)), others=2, others_height=180)
    assert pictures(cast, ME, watch, 12, ()) == (
        Shown(CROWD[2], 720, pinned=True),
        Shown(CROWD[3], 90),
        Shown(CROWD[7], 180),
        Shown(CROWD[8], 180),
        Shown(CROWD[0], 180),
    )


def test_a_tile_whose_person_has_gone_is_room_for_another() -> None:
    """So the people of a new room are shown before the client has said anything."""
    assert names(pictures(crowd(), ME, show(ANA, BO), 12, ())) == CROWD[:2]


def test_who_shows_nobody_gets_no_picture() -> None:
    """A hidden page costs nothing but voices."""
    assert pictures(crowd(), ME, NOTHING, 12, ()) == ()


def test_others_stay_while_nobody_better_comes() -> None:
    """The order of joining does not displace anybody; who spoke for a while does, from the end."""
    before = tuple(Shown(each, 180) for each in CROWD[5:8])
    watch = Watch((), 3, 180)
    assert names(pictures(crowd(), ME, watch, 12, before)) == CROWD[5:8]
    assert names(pictures(crowd(recent=(CROWD[6],)), ME, watch, 12, before)) == (CROWD[6], CROWD[5], CROWD[7])
    assert names(pictures(crowd(recent=(CROWD[9],)), ME, watch, 12, before)) == (CROWD[9], CROWD[5], CROWD[6])


def test_some_slots_are_kept_for_voices() -> None:
    """With more people than slots a quarter carries no picture, so a voice takes none away."""
    shown = pictures(crowd(), ME, UNTOLD, 12, ())
    assert len(shown) == 9
    seats = seat(crowd(), ME, shown, (None,) * 12)
    for voices in (CROWD[12:15], CROWD[15:18], CROWD[17:20]):
        seats = seat(crowd(voices=voices), ME, shown, seats)
        assert {*names(shown), *voices} == set(seats)


def test_a_large_room_has_a_budget() -> None:
    """Three hundred get five pictures each, whatever they show, and not every voice all the time."""
    people = tuple(ParticipantId(f"p{number}") for number in range(299))
    large = crowd(people=people)
    assert len(pictures(large, ME, UNTOLD, 12, ())) == 5
    assert len(pictures(large, ME, show(*people[:8]), 12, ())) == 5
    few = replace(large, heard=people[:5], seen=(), everyone=frozenset(people[:5]))
    assert few.fits(ME, 12)
    assert not few.hears_all(ME, 12)
    assert replace(few, heard=people[:4]).hears_all(ME, 12)


def test_the_description_leaves_empty_slots_out() -> None:
    """And says of each person what the room lets through, and why a picture does not come."""
    cast = cast_of(group((ANA,), (BO,)), lambda _: True)
    assert describe((None, ANA, BO), cast, lambda _: PauseReason.HIDDEN) == (
        Slot(index=1, source=ANA, audio=True, video=False),
        Slot(index=2, source=BO, audio=False, video=True, paused=PauseReason.HIDDEN),
    )


# -- whatever happens --------------------------------------------------------------------------------------------------

someone = st.sampled_from((*CROWD, ME))
some = st.lists(someone, max_size=6, unique=True).map(tuple)


@st.composite
def casts(draw: st.DrawFn) -> Cast:
    """Any placement."""
    members = draw(st.lists(someone, max_size=20, unique=True))
    of_them = st.lists(st.sampled_from(members), unique=True).map(tuple) if members else st.just(())
    audio, video = draw(of_them), draw(of_them)
    routes = RouteGroup(MAIN, tuple(members), audio, video, draw(some), draw(some))
    return cast_of(routes, draw(st.sets(someone)).__contains__, draw(some)[:3], draw(some))


watches = st.builds(
    Watch,
    tiles=st.lists(st.builds(Tile, someone, st.integers(0, 720), st.booleans()), max_size=8).map(tuple),
    others=st.integers(0, MAX_TILES),
    others_height=st.integers(0, 720),
)


@given(st.integers(0, 12), st.integers(0, 12), st.lists(st.tuples(casts(), watches), max_size=6))
def test_pictures_are_where_there_is_a_line(count: int, lines: int, steps: list[tuple[Cast, Watch]]) -> None:
    """Through any changes: whoever is shown and has a slot has one with a picture, and all else is as ever."""
    lines = min(lines, count)
    seats: Seats = (None,) * count
    shown: tuple[Shown, ...] = ()
    for cast, watch in steps:
        shown = pictures(cast, ME, watch, count, shown, lines)
        seats = seat(cast, ME, shown, seats, lines=lines)
        seated = [source for source in seats if source is not None]
        assert len(shown) <= lines
        assert len(set(seated)) == len(seated) == min(count, len(cast.everyone - {ME}))
        assert not set(names(shown)) & set(seats[lines:])
        assert seat(cast, ME, shown, seats, lines=lines) == seats


@given(st.integers(0, 12), st.lists(st.tuples(casts(), watches), max_size=6))
def test_slots_are_right_and_steady(count: int, steps: list[tuple[Cast, Watch]]) -> None:
    """Through any changes: nobody twice, nobody without right, the leading always, and nobody moves."""
    seats: Seats = (None,) * count
    shown: tuple[Shown, ...] = ()
    for cast, watch in steps:
        shown = pictures(cast, ME, watch, count, shown)
        before, seats = seats, seat(cast, ME, shown, seats)
        seated = [source for source in seats if source is not None]
        assert len(seats) == count
        assert len(set(seated)) == len(seated)
        assert set(seated) <= cast.everyone - {ME}
        assert len(seated) == min(count, len(cast.everyone - {ME}))
        leading = [each for each in dict.fromkeys(cast.leading) if each != ME]
        assert set(leading[:count]) <= set(seated)
        if len(leading) + len(shown) <= count:
            assert set(names(shown)) <= set(seated)
        for old, new in zip(before, seats, strict=True):
            assert old is None or new == old or old not in seats
        assert seat(cast, ME, pictures(cast, ME, watch, count, shown), seats) == seats


@given(casts(), watches, st.integers(0, 12), some)
def test_pictures_are_right_and_few(cast: Cast, watch: Watch, count: int, before: tuple[ParticipantId, ...]) -> None:
    """Only who may be seen, each once, no more than are shown and than there are slots."""
    shown = pictures(cast, ME, watch, count, [Shown(each, 1) for each in before])
    assert len(set(names(shown))) == len(shown) <= min(count, len(watch.tiles) + watch.others)
    assert set(names(shown)) <= cast.visible - {ME}
