# SPDX-License-Identifier: Apache-2.0
"""Breadth-first search over the steps of a model, and the proof that no state is stuck."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable

from msgspec import Struct

from tests.runner.model import Model, Setup, World
from tests.runner.promises import Violation


class Found(Struct, frozen=True):
    """How much was seen."""

    states: int
    steps: int
    depth: int


class _Search:
    """States are numbered as they are found."""

    def __init__(self, model: Model, ceiling: int) -> None:
        self.model = model
        self.ceiling = ceiling
        self.numbers: dict[Hashable, int] = {}
        self.ways: list[tuple[int, str]] = []
        self.depths: list[int] = []
        self.frontier: deque[tuple[int, World]] = deque()
        self.back: list[list[int]] = []
        self.quiet: list[int] = []
        self.steps = 0

    def visit(self, world: World, parent: int, name: str) -> int:
        """The number of this world, which is looked at later if it is new."""
        key = self.model.key(world)
        number = self.numbers.get(key)
        if number is None:
            number = self.numbers[key] = len(self.numbers)
            self.ways.append((parent, name))
            self.depths.append(self.depths[parent] + 1 if parent >= 0 else 0)
            self.back.append([])
            self.frontier.append((number, world))
            if number > self.ceiling:
                raise AssertionError(f"more than {self.ceiling} states")
        return number

    def expand(self, number: int, world: World) -> None:
        """All steps from here; without one that must happen, everybody has an answer."""
        must_go_on = False
        for name, must, after in self.model.steps(world):
            self.steps += 1
            to = self.visit(after, number, name)
            if must:
                must_go_on = True
                self.back[to].append(number)
        if not must_go_on:
            self.quiet.append(number)
            if "" in world.verdicts:
                raise Violation("stuck without an answer")

    def unfinished(self) -> set[int]:
        """States from which what must happen never leads to rest."""
        reached, waiting = set(self.quiet), list(self.quiet)
        while waiting:
            for number in self.back[waiting.pop()]:
                if number not in reached:
                    reached.add(number)
                    waiting.append(number)
        return set(range(len(self.ways))) - reached

    def way_to(self, number: int) -> str:
        """The shortest way from the start."""
        names = []
        while number > 0:
            number, name = self.ways[number]
            names.append(name)
        return "; ".join(reversed(names))


def explore(setup: Setup, ceiling: int = 400_000) -> Found:
    """Visit every reachable state; raises Violation with the shortest way to a broken promise."""
    model = Model(setup)
    search = _Search(model, ceiling)
    search.visit(model.first(), -1, "")
    number = 0
    try:
        while search.frontier:
            number, world = search.frontier.popleft()
            search.expand(number, world)
    except (Violation, AssertionError) as broken:
        raise Violation(f"{broken}, one step after: {search.way_to(number)}") from broken
    if unfinished := search.unfinished():
        raise Violation(f"never at rest after: {search.way_to(min(unfinished))}")
    return Found(len(search.ways), search.steps, max(search.depths))
