# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import cycle

from hypothesis import given
from hypothesis import strategies as st

from server.ids import ParticipantId
from server.media.speakers import INSISTING, PAUSE_NS, RELEASE_NS, SILENT, STAGE, TURN_NS, Floor, Ranking, Talker

ANA, BO, CLEO, DAN = (ParticipantId(name) for name in ("ana", "bo", "cleo", "dan"))
PACKET_NS = 20_000_000
SECOND_NS = 1_000_000_000
SYLLABLES = (30, 26, 24, 28, 33, 60, 31, 25, 27, 70)
"""Levels of speech, packet by packet: loud with short gaps."""
TYPING = (40, 90, 90, 90, 90, 90)
"""Keys, about eight in a second."""


class Table:
    """Talkers around one floor, who all send every 20 ms."""

    def __init__(self, *names: ParticipantId, places: int = 3) -> None:
        self.floor = Floor(places)
        self.ranking = Ranking()
        self.talkers = {name: Talker(name) for name in names}
        self.now_ns = SECOND_NS
        self.given: list[ParticipantId] = []
        self._sounds: dict[ParticipantId, Iterator[int]] = {name: cycle((90,)) for name in names}

    def speak(self, *names: ParticipantId, louder: int = 0) -> None:
        """From now on these speak, each at another point of a sentence."""
        for start, name in enumerate(names):
            self._sounds[name] = cycle([level - louder for level in SYLLABLES[start % 5 :] + SYLLABLES[: start % 5]])

    def sound(self, name: ParticipantId, *levels: int) -> None:
        """From now on these levels, over and over."""
        self._sounds[name] = cycle(levels)

    def hush(self, *names: ParticipantId) -> None:
        """From now on silence."""
        for name in names:
            self._sounds[name] = cycle((90,))

    def voices(self) -> tuple[ParticipantId, ...]:
        """Who has a place."""
        return self.floor.voices

    def recent(self) -> tuple[ParticipantId, ...]:
        """Who dominated last."""
        return self.ranking.recent

    def run(self, nanoseconds: int) -> None:
        """Let time go on."""
        for step in range(nanoseconds // PACKET_NS):
            self.now_ns += PACKET_NS
            for name, talker in self.talkers.items():
                if talker.hear(next(self._sounds[name]), self.now_ns) and self.floor.claim(talker, self.now_ns):
                    self.given.append(name)
            if step % 10 == 0:
                self.floor.release(self.now_ns)
                self.ranking.update(self.talkers.values(), self.now_ns)


def test_the_second_loud_packet_is_enough() -> None:
    """40 ms after the first sound somebody is heard, while there is a place."""
    table = Table(ANA)
    table.speak(ANA)
    table.run(PACKET_NS)
    assert table.voices() == ()
    table.run(PACKET_NS)
    assert table.voices() == (ANA,)


def test_keys_hold_no_place() -> None:
    """Clicks stand alone: two loud packets, less the quiet ones between them, never come together."""
    table = Table(ANA)
    table.sound(ANA, *TYPING)
    table.run(10 * SECOND_NS)
    assert table.given == []


def test_a_steady_noise_is_known_as_one() -> None:
    """A fan may be taken for speech for some seconds, then no more; and speech beside it still is."""
    table = Table(ANA)
    table.sound(ANA, 47, 48)
    table.run(20 * SECOND_NS)
    assert table.voices() == ()
    table.sound(ANA, 30, 31, 28)
    table.run(3 * PACKET_NS)
    assert table.voices() == (ANA,)


def test_a_long_speech_is_no_noise() -> None:
    """The gaps between words tell speech from noise, however long it goes on."""
    table = Table(ANA)
    table.speak(ANA)
    for _ in range(120):
        table.run(SECOND_NS)
        assert table.voices() == (ANA,)
    assert table.given == [ANA]


def test_a_silent_place_is_taken_at_once() -> None:
    """Nobody has to insist against somebody who has finished."""
    table = Table(ANA, BO, places=1)
    table.speak(ANA)
    table.run(SECOND_NS)
    table.hush(ANA)
    table.run(PAUSE_NS + 2 * PACKET_NS)
    assert table.voices() == (ANA,)
    table.speak(BO)
    table.run(2 * PACKET_NS)
    assert table.voices() == (BO,)


def test_a_cough_takes_no_place_from_who_speaks() -> None:
    """Shorter than half a second, however loud."""
    table = Table(ANA, BO, places=1)
    table.speak(ANA)
    table.run(10 * SECOND_NS)
    table.sound(BO, 5)
    table.run((INSISTING - 1) * PACKET_NS)
    table.hush(BO)
    table.run(SECOND_NS)
    assert table.given == [ANA]


def test_whoever_is_much_louder_is_heard_soon() -> None:
    """Insisting at a normal voice against a whisper does not have to wait for a turn."""
    table = Table(ANA, BO, places=1)
    table.sound(ANA, 50, 52, 66)
    table.run(SECOND_NS)
    table.speak(BO)
    table.run(SECOND_NS)
    assert table.voices() == (BO,)


def test_equally_loud_people_take_turns() -> None:
    """Seven speak at once for two minutes and three are heard: nobody is left out, nobody holds a place."""
    names = tuple(ParticipantId(f"p{number}") for number in range(7))
    table = Table(*names)
    table.speak(*names)
    heard: Counter[ParticipantId] = Counter()
    for _ in range(240):
        table.run(SECOND_NS // 2)
        heard.update(table.floor.voices)
    assert sum(heard.values()) >= 240 * 3 - 6
    fair = 240 * 3 / 7
    assert all(0.6 * fair < heard[name] < 1.5 * fair for name in names)
    assert len(table.given) < 120 * SECOND_NS * 3 / TURN_NS + 7


def test_a_place_is_given_back_after_a_while() -> None:
    """Even if nobody asks for it: an open microphone in a silent room sends nothing to anybody."""
    table = Table(ANA)
    table.speak(ANA)
    table.run(SECOND_NS)
    table.hush(ANA)
    table.run(RELEASE_NS // 2)
    assert table.voices() == (ANA,)
    table.run(RELEASE_NS)
    assert table.voices() == ()


def test_who_leaves_gives_the_place_back() -> None:
    """At once, and only they."""
    table = Table(ANA, BO)
    table.speak(ANA, BO)
    table.run(SECOND_NS)
    assert table.floor.leave(ANA)
    assert not table.floor.leave(ANA)
    assert table.voices() == (BO,)


def test_the_loudest_level_is_taken_once() -> None:
    """For reports: since the last one."""
    talker = Talker(ANA)
    for level in (40, 20, 60):
        talker.hear(level, 0)
    assert talker.take_loudest() == 20
    assert talker.take_loudest() == SILENT


# -- ranking -----------------------------------------------------------------------------------------------------------


def test_a_moment_earns_no_picture() -> None:
    """A word or a cough changes nothing; a sentence does."""
    table = Table(ANA, BO)
    table.speak(ANA)
    table.run(3 * SECOND_NS)
    assert table.recent() == (ANA,)
    table.speak(BO)
    table.run(SECOND_NS // 2)
    table.hush(BO)
    table.run(3 * SECOND_NS)
    assert table.recent() == (ANA,)
    table.speak(BO)
    table.run(2 * SECOND_NS)
    assert table.recent() == (BO, ANA)


def test_who_spoke_last_comes_first() -> None:
    """The order changes when somebody begins to dominate, not while they go on; silence forgets nobody."""
    names = (ANA, BO, CLEO, DAN)
    table = Table(*names)
    for name in names:
        table.speak(name)
        table.run(3 * SECOND_NS)
        table.hush(name)
        table.run(2 * SECOND_NS)
    assert table.recent() == (DAN, CLEO, BO, ANA)
    table.run(60 * SECOND_NS)
    assert table.recent() == (DAN, CLEO, BO, ANA)


def test_whoever_goes_on_speaking_is_not_pushed_out() -> None:
    """Many short contributions beside one long speech leave the speech among the first."""
    others = tuple(ParticipantId(f"p{number}") for number in range(STAGE))
    table = Table(ANA, *others)
    table.speak(ANA)
    for other in others:
        table.speak(other)
        table.run(2 * SECOND_NS)
        table.hush(other)
        table.run(SECOND_NS)
        assert ANA in table.recent()[:2]
    assert len(table.recent()) == STAGE


def test_who_is_not_there_is_forgotten() -> None:
    """Whoever comes back begins anew."""
    table = Table(ANA, BO)
    table.speak(ANA, BO)
    table.run(3 * SECOND_NS)
    table.ranking.keep(frozenset({BO}))
    assert table.recent() == (BO,)


# -- whatever happens --------------------------------------------------------------------------------------------------


@given(
    st.integers(1, 4),
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 127), st.integers(0, 400_000_000)), max_size=200),
)
def test_places_are_bounded_and_held(places: int, packets: list[tuple[int, int, int]]) -> None:
    """Never more voices than places, and nobody who goes on speaking at least as loud loses one before their turn."""
    floor = Floor(places)
    talkers = [Talker(ParticipantId(str(number))) for number in range(6)]
    now_ns = 0
    for index, level, wait_ns in packets:
        now_ns += wait_ns
        talker, before = talkers[index], floor.voices
        given = talker.hear(level, now_ns) and floor.claim(talker, now_ns)
        assert len(floor.voices) <= places
        assert (talker.participant in floor.voices) >= given
        for other in talkers:
            if other.participant in before and other.participant not in floor.voices:
                silent = now_ns - other.spoke_ns > PAUSE_NS
                softer = other.strength > talker.strength
                assert silent or softer or now_ns - other.since_ns > TURN_NS
