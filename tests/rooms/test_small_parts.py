# SPDX-License-Identifier: Apache-2.0
"""Names, shuffles, recent commands, the default agenda."""

from __future__ import annotations

import unicodedata
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.rooms.names import MAX_MARKS, MAX_NAME, clean_name, clean_text
from server.rooms.phases import PhaseKind
from server.rooms.recent import recall, remember
from server.rooms.shuffle import shuffled, splitmix64
from server.rooms.state import MAX_LATEST_COMMANDS, MAX_PHASES, MAX_RECENT_COMMANDS
from server.rooms.templates import Language, default_agenda
from tests.rooms.builders import new_room


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Ana", "Ana"),
        ("  Ana \t Sol\n", "Ana Sol"),
        ("Zoe\u0308", "Zoë"),
        ("Ali\u200cReza", "Ali\u200cReza"),
        ("", None),
        (" \u200d ", None),
        ("a\u202eb", None),
        ("a\x00b", None),
        ("a\u2028b", "a b"),
        ("x" * MAX_NAME, "x" * MAX_NAME),
        ("x" * (MAX_NAME + 1), None),
        ("e" + "\u0301" * (MAX_MARKS + 1), "é" + "\u0301" * MAX_MARKS),
        ("e" + "\u0301" * (MAX_MARKS + 2), None),
        ("a" + "\u0301\u200d" * MAX_NAME, None),
        ("\u0301", None),
        ("\u0f67\u0f71\u0f74\u0f83", "\u0f67\u0f71\u0f74\u0f83"),
        ("\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f468\u200d\U0001f469\u200d\U0001f467"),
        *((blank, None) for blank in "\u3164\u115f\u1160\uffa0\u2800\ufe0f\u034f\u17b4\u180b\U0001d159"),
        ("Sam\u3164", None),
    ],
)
def test_names_are_what_can_be_shown(name: str, expected: str | None) -> None:
    """NFC, single spaces, 1 to 40 characters, nothing that hides or turns the text around."""
    assert clean_name(name) == expected


@given(st.text())
def test_a_clean_name_stays_as_it_is(name: str) -> None:
    """Cleaning twice is cleaning once."""
    clean = clean_name(name)
    assert clean is None or clean_name(clean) == clean


@given(st.text())
def test_texts_keep_lines_and_lose_control_characters(text: str) -> None:
    """Cleaning twice is cleaning once."""
    clean = clean_text(text)
    assert clean == clean_text(clean)
    assert not any(unicodedata.category(char) == "Cc" and char not in "\n\t" for char in clean)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("e\x00\u0301", "é"),
        ("a" + "\u0323" * 2_000 + "b", "ạ" + "\u0323" * MAX_MARKS + "b"),
        ("\u200b", ""),
        ("\u3164\u2800\ufe0f", ""),
        ("\u2764\ufe0f", "\u2764\ufe0f"),
    ],
)
def test_texts_are_what_can_be_seen(text: str, expected: str) -> None:
    """Composed after something was taken out; no piles of marks over other words; nothing that shows nothing."""
    assert clean_text(text) == expected


def test_lines_of_a_text_are_kept() -> None:
    """A message may have paragraphs."""
    assert clean_text(" one\n\n\ttwo\r\n ") == "one\n\n\ttwo"


@given(st.lists(st.integers()), st.integers(0, 2**64 - 1))
def test_a_shuffle_loses_nothing_and_depends_on_the_seed_alone(items: list[int], seed: int) -> None:
    """The same on every node."""
    assert sorted(shuffled(items, seed)) == sorted(items)
    assert shuffled(items, seed) == shuffled(items, seed)


def test_draws_are_those_of_the_published_generator() -> None:
    """The first values of SplitMix64 for the seed 1234567, as published with it."""
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    assert list(islice(splitmix64(1234567), 4)) == published


def test_every_order_comes_up_about_as_often() -> None:
    """Nobody is always first."""
    firsts = [shuffled("abc", seed)[0] for seed in range(3_000)]
    assert all(900 < firsts.count(each) < 1_100 for each in "abc")


def test_recent_commands_are_recalled_and_bounded() -> None:
    """I7: the newest are known with their place in the log, the oldest are forgotten."""
    state = new_room()
    for number in range(MAX_RECENT_COMMANDS + MAX_LATEST_COMMANDS):
        state = remember(state, f"ana:{number}", number)
    assert len(state.recent) == MAX_RECENT_COMMANDS
    assert recall(state, f"ana:{MAX_LATEST_COMMANDS - 1}") is None
    assert recall(state, f"ana:{MAX_LATEST_COMMANDS}") == MAX_LATEST_COMMANDS
    assert recall(state, f"ana:{MAX_RECENT_COMMANDS + 1}") == MAX_RECENT_COMMANDS + 1


@pytest.mark.parametrize("language", list(Language))
def test_the_default_agenda_goes_from_check_in_to_close(language: Language) -> None:
    """It can be edited as it is, in every language."""
    agenda = default_agenda(language)
    kinds = [phase.kind for phase in agenda.phases]
    assert kinds == [
        PhaseKind.CHECK_IN,
        PhaseKind.TOPIC,
        PhaseKind.BREAKOUTS,
        PhaseKind.REFLECTION,
        PhaseKind.CLOSE,
    ]
    assert agenda.phases[0].round is not None
    assert len({phase.id for phase in agenda.phases}) == len(kinds) <= MAX_PHASES
    assert agenda.current is None
