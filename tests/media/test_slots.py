# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from server.ids import MAIN, ParticipantId
from server.media.channel import Slot
from server.media.slots import assign, describe, wanted_sources
from server.rooms.routes import RouteGroup

ANA, BO, CLEO, DAN = (ParticipantId(name) for name in ("ana", "bo", "cleo", "dan"))
people = st.sampled_from([ParticipantId(str(number)) for number in range(8)])


def group(audio: tuple[ParticipantId, ...], video: tuple[ParticipantId, ...]) -> RouteGroup:
    """A group of all four."""
    return RouteGroup(placement=MAIN, members=(ANA, BO, CLEO, DAN), audio=audio, video=video)


def test_voices_come_before_pictures() -> None:
    """Who may be heard is wanted first, then who is only seen; oneself and those without a peer never."""
    wanted = wanted_sources(group((CLEO,), (ANA, BO, CLEO, DAN)), ANA, {ANA, BO, CLEO})
    assert wanted == (CLEO, BO)


def test_a_newcomer_takes_the_lowest_free_slot() -> None:
    """Bo left the second slot, Dan takes it, the others do not move."""
    assert assign((ANA, BO, CLEO), (DAN, CLEO, ANA)) == (ANA, DAN, CLEO)


def test_the_important_displace_the_rest() -> None:
    """With fewer slots than sources the order decides, and only who falls out is replaced."""
    assert assign((ANA, BO), (CLEO, BO, ANA)) == (CLEO, BO)


@given(
    before=st.lists(st.none() | people, max_size=6).filter(
        lambda slots: len({slot for slot in slots if slot}) == sum(slot is not None for slot in slots)
    ),
    wanted=st.lists(people, max_size=8, unique=True),
)
def test_slots_hold_the_first_wanted_and_nobody_moves(
    before: list[ParticipantId | None], wanted: list[ParticipantId]
) -> None:
    """As many as fit, each once, and whoever stays is where they were."""
    after = assign(before, wanted)
    assert len(after) == len(before)
    assert {source for source in after if source is not None} == set(wanted[: len(before)])
    for old, new in zip(before, after, strict=True):
        assert new == old or old not in wanted[: len(before)]


def test_the_description_leaves_empty_slots_out() -> None:
    """And says of each person what the room lets through."""
    slots = describe((None, ANA, BO), group((ANA,), (ANA, BO)))
    assert slots == (
        Slot(index=1, source=ANA, audio=True, video=True),
        Slot(index=2, source=BO, audio=False, video=True),
    )
    assert describe((ANA,), None) == ()
