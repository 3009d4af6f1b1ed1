# SPDX-License-Identifier: Apache-2.0
"""A load test as it is written down: strict structs, read from TOML. Pure."""

from __future__ import annotations

import math
import tomllib
from enum import StrEnum
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from loadtest.impairment.profile import NAMED
from loadtest.plan.arrivals import ArrivalRate
from loadtest.plan.constant import Constant
from loadtest.plan.executors import Churn, Schedule
from loadtest.plan.ramping import Ramping
from loadtest.plan.thresholds import parse

MOST_SECONDS: Final = 24 * 3600
MOST_PEOPLE: Final = 2_000
MOST_PROBES: Final = 200.0
"""Commands a second, of all rooms together: beyond that it is no load test but an attack."""

Seconds = Annotated[float, Meta(ge=0, le=MOST_SECONDS)]
Executor = Constant | Ramping | ArrivalRate


class BadScenario(ValueError):
    """What is wrong with a scenario, in a sentence for its author."""


class Habit(StrEnum):
    """What people do in their rooms."""

    GENTLE = "gentle"
    """As in a real session: take turns, raise hands, talk one after the other, write goals."""
    ON_AIR = "on-air"
    """Microphone and camera on all the time, so that every moment of a move can be seen and heard."""


class Family(Struct, frozen=True, forbid_unknown_fields=True):
    """Rooms of one kind: `count` of them with a moderator and `people` participants each.

    `on_air`: how many of the participants ever turn on microphone and camera (none named: all). `slots`: how many
    others each one receives, at `height` pixels. `layers`: cameras send three layers. `media` off: signaling only.
    `probes_per_s`: commands a second in each room whose answer and fan-out are timed.
    """

    people: Annotated[int, Meta(ge=1, le=499)]
    count: Annotated[int, Meta(ge=1, le=200)] = 1
    habit: Habit = Habit.ON_AIR
    on_air: Annotated[int, Meta(ge=0, le=499)] | None = None
    slots: Annotated[int, Meta(ge=1, le=12)] = 4
    height: Annotated[int, Meta(ge=0, le=1080)] = 135
    layers: bool = False
    media: bool = True
    probes_per_s: Annotated[float, Meta(ge=0, le=50)] = 1.0

    @property
    def speakers(self) -> int:
        """How many participants have something to send."""
        if not self.media:
            return 0
        return self.people if self.on_air is None else min(self.on_air, self.people)


class Do(StrEnum):
    """What happens at a step."""

    NEXT_PHASE = "next-phase"
    SPLIT = "split"
    MERGE = "merge"
    DROP = "drop"
    """Connections of a share of the people are cut; they come back at once."""
    DROP_ALL = "drop-media-too"
    """As `drop`, and their media ends, too."""
    END = "end"
    KILL_NODE = "kill-node"
    DRAIN_NODE = "drain-node"
    START_NODE = "start-node"


OF_NODES: Final = frozenset({Do.KILL_NODE, Do.DRAIN_NODE, Do.START_NODE})


class Step(Struct, frozen=True, forbid_unknown_fields=True):
    """`do` it at `at_s`, and with `every_s` again and again. `of`: at most as many in a breakout. `node`: from 0 on."""

    do: Do
    at_s: Seconds
    every_s: Annotated[float, Meta(ge=1)] | None = None
    until_s: Seconds = MOST_SECONDS
    of: Annotated[int, Meta(ge=1, le=100)] = 3
    share: Annotated[float, Meta(gt=0, le=1)] = 1.0
    node: Annotated[int, Meta(ge=0, le=15)] = 0

    def breakouts(self, people: int) -> int:
        """How many a split of so many people needs."""
        return max(1, math.ceil(people / self.of))


class Network(Struct, frozen=True, forbid_unknown_fields=True):
    """The media of this share of the people goes through a bad network, one of the impairment process's profiles."""

    profile: str
    share: Annotated[float, Meta(gt=0, le=1)] = 1.0


class Scenario(Struct, frozen=True, forbid_unknown_fields=True):
    """All of it. `nodes`: how many servers to start when none is named. `require`: as of the command line."""

    name: Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9-]{0,40}$")]
    about: str
    duration_s: Annotated[float, Meta(ge=1, le=MOST_SECONDS)]
    rooms: Annotated[tuple[Family, ...], Meta(min_length=1, max_length=10)]
    executor: Executor = Constant()
    steps: tuple[Step, ...] = ()
    churn: Churn | None = None
    network: Network | None = None
    nodes: Annotated[int, Meta(ge=1, le=8)] = 1
    seed: int = 1
    require: tuple[str, ...] = ()

    @property
    def seats(self) -> int:
        """Participants of all rooms; moderators are there anyway."""
        return sum(family.count * family.people for family in self.rooms)

    @property
    def people(self) -> int:
        """Everybody, moderators too."""
        return self.seats + sum(family.count for family in self.rooms)

    def schedule(self) -> Schedule:
        """Who comes when."""
        return self.executor.schedule(self.seats, self.duration_s)


def read(text: str, *, where: str = "scenario") -> Scenario:
    """Read one from TOML. Raises BadScenario, which names the place of the fault."""
    try:
        scenario = msgspec.convert(tomllib.loads(text), Scenario)
    except tomllib.TOMLDecodeError as error:
        raise BadScenario(f"{where}: not TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise BadScenario(f"{where}: {error}") from error
    return checked(scenario, where=where)


def checked(scenario: Scenario, *, where: str = "scenario") -> Scenario:
    """The same, if it can be run. Raises BadScenario."""
    for requirement in scenario.require:
        parse(requirement)
    if scenario.people > MOST_PEOPLE:
        raise BadScenario(f"{where}: {scenario.people} people are more than {MOST_PEOPLE}")
    probes = sum(family.count * family.probes_per_s for family in scenario.rooms)
    if probes > MOST_PROBES:
        raise BadScenario(f"{where}: {probes:g} probes a second are more than {MOST_PROBES:g}")
    if scenario.network is not None and scenario.network.profile not in NAMED:
        raise BadScenario(f"{where}: network.profile must be one of {', '.join(NAMED)}")
    for step in scenario.steps:
        _check(step, scenario, where)
    return scenario


def _check(step: Step, scenario: Scenario, where: str) -> None:
    if step.do in OF_NODES and step.node >= scenario.nodes:
        raise BadScenario(f"{where}: {step.do.value} of node {step.node}, but there are {scenario.nodes} nodes")
    if step.at_s > scenario.duration_s:
        raise BadScenario(f"{where}: {step.do.value} at {step.at_s:g} s, after the end at {scenario.duration_s:g} s")
    if step.do is Do.SPLIT and any(step.breakouts(family.people) > _MOST_BREAKOUTS for family in scenario.rooms):
        raise BadScenario(f"{where}: split of {step.of} makes more than {_MOST_BREAKOUTS} breakouts")


_MOST_BREAKOUTS: Final = 50
