# SPDX-License-Identifier: Apache-2.0
"""Scenarios: those that come with it, and what is said about a wrong one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from loadtest.plan.library import BUILT_IN, scenario_of, text_of
from loadtest.plan.scenario import BadScenario, Do, Step, read
from loadtest.plan.thresholds import BadRequirement
from loadtest.plan.timeline import resized, timeline

SMALL = """
name = "mine"
about = "a test"
duration_s = 30
[[rooms]]
people = 3
"""


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_scenarios_can_be_run(name: str) -> None:
    """Each is understood, brings people, and does what its steps say within its time."""
    scenario = scenario_of(name)
    assert scenario.name == name
    assert len(scenario.schedule().visits) == scenario.seats
    happenings = timeline(scenario, of_nodes=False) + timeline(scenario, of_nodes=True)
    assert happenings
    assert all(0 <= happening.at_s <= scenario.duration_s for happening in happenings)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("peple = 2", "unknown field `peple`"),
        ("[executor]\nkind = 'square'", "Invalid value 'square' - at `$.executor.kind`"),
        ("[network]\nprofile = '6g'", "network.profile must be one of"),
        ("[[steps]]\ndo = 'split'\nat_s = 31", "split at 31 s, after the end"),
        ("[[steps]]\ndo = 'kill-node'\nat_s = 3\nnode = 1", "kill-node of node 1, but there are 1 nodes"),
        ("[[steps]]\ndo = 'dance'\nat_s = 3", "Invalid enum value 'dance'"),
        ("[[rooms]]\npeople = 499\ncount = 200", "100004 people are more than 2000"),
        ("[[rooms]]\npeople = 1\ncount = 9\nprobes_per_s = 50", "451 probes a second are more than 200"),
        ("[churn]\nper_minute = 0", "Expected `float` > 0.0 - at `$.churn.per_minute`"),
        ("= 3", "not TOML"),
    ],
    ids=["field", "executor", "profile", "late", "node", "step", "crowd", "probes", "churn", "syntax"],
)
def test_a_wrong_scenario_is_refused_in_words(change: str, complaint: str) -> None:
    """The message names the file and what is wrong in it."""
    with pytest.raises(BadScenario) as refusal:
        read(SMALL + change + "\n", where="mine.toml")
    assert str(refusal.value).startswith("mine.toml: ")
    assert complaint in str(refusal.value)


def test_a_requirement_in_a_scenario_is_checked() -> None:
    """Before anything runs."""
    with pytest.raises(BadRequirement):
        read('require = ["speed p95<1"]\n' + SMALL)


def test_own_scenarios_are_files(tmp_path: Path) -> None:
    """What `scenario show` prints is the beginning of one's own."""
    file = tmp_path / "mine.toml"
    file.write_text(text_of("smoke").replace('"smoke"', '"mine"'))
    assert scenario_of(str(file)).name == "mine"


def test_the_example_of_the_documentation_is_a_scenario() -> None:
    """Whoever copies it can run it."""
    page = Path(__file__).parents[3] / "docs" / "load-test.md"
    (example,) = re.findall(r"^```toml\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
    assert read(example).people == 120


def test_an_unknown_scenario_is_told_what_there_is() -> None:
    """A wrong name, and a file that is not there."""
    with pytest.raises(BadScenario, match="there are smoke, circle"):
        scenario_of("smoak")
    with pytest.raises(BadScenario, match="No such file"):
        scenario_of("nowhere.toml")


def test_a_repeated_step_happens_until_its_end() -> None:
    """Every five seconds from the third to the fourteenth."""
    text = SMALL + "[[steps]]\ndo = 'split'\nat_s = 3\nevery_s = 5\nuntil_s = 14\n"
    assert [happening.at_s for happening in timeline(read(text), of_nodes=False)] == [3, 8, 13]


def test_a_shorter_run_leaves_out_what_comes_later() -> None:
    """Steps stay where they are."""
    shorter = resized(scenario_of("circle"), duration_s=45, rooms=1, people=5)
    assert shorter.people == 6
    assert [happening.step.do for happening in timeline(shorter, of_nodes=False)] == [Do.NEXT_PHASE, Do.NEXT_PHASE]


def test_resizing_needs_one_kind_of_room() -> None:
    """Else nobody knows which is meant."""
    with pytest.raises(BadScenario, match="several kinds of rooms"):
        resized(scenario_of("splitstorm"), people=5)


def test_a_split_makes_rooms_of_at_most_so_many_people() -> None:
    """Eleven people in rooms of six are two rooms: with one there would be nothing to see of a split."""
    step = Step(do=Do.SPLIT, at_s=1, of=6)
    assert [step.breakouts(people) for people in (0, 1, 6, 7, 11, 12, 13, 299)] == [1, 1, 1, 2, 2, 2, 3, 50]


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_split_that_comes_with_it_parts_people(name: str) -> None:
    """Each kind of room has two breakouts or more, and whoever is asked for new faces has a slot for each of them."""
    scenario = scenario_of(name)
    for step in (step for step in scenario.steps if step.do is Do.SPLIT):
        assert all(step.breakouts(family.people) > 1 for family in scenario.rooms)
        if any(text.startswith("move_frame_ms") for text in scenario.require):
            assert all(step.of - 1 <= family.slots < family.people - 1 for family in scenario.rooms if family.media)
