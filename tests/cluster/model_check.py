# SPDX-License-Identifier: Apache-2.0
"""Breadth first through the model of nodes, log, epochs and leases; every state is checked."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from msgspec import Struct

from tests.cluster.model import Model
from tests.cluster.model_world import NOWHERE, RIVALS, Copy, Life, World, name_of, seats


class Violation(Exception):
    """An invariant does not hold."""


class Found(Struct, frozen=True):
    """How much was seen. `complete`: that is all there is."""

    states: int
    steps: int
    depth: int
    complete: bool = True

    def __str__(self) -> str:
        what = "all" if self.complete else "not all"
        return f"{self.states} states ({what}), {self.steps} steps, depth {self.depth}"


def explore(model: Model, ceiling: int = 1_000_000) -> Found:
    """Visit every reachable state, the nearest first, but not more than so many.

    Raises Violation, with the shortest way there.
    """
    ways: dict[World, tuple[World | None, str]] = dict.fromkeys(model.starts(), (None, ""))
    frontier = deque((first, 0) for first in ways)
    steps = depth = 0
    while frontier:
        world, depth = frontier.popleft()
        for name, raw in model.steps(world):
            steps += 1
            after = model.settled(raw)
            if after in ways:
                continue
            ways[after] = (world, name)
            broken = next(breaches(model, world, raw), None)
            if broken is not None:
                raise Violation(f"{broken}: {_way(ways, after)}")
            if len(ways) > ceiling:
                return Found(len(ways), steps, depth, complete=False)
            frontier.append((after, depth + 1))
    return Found(len(ways), steps, depth)


def worlds(model: Model) -> set[World]:
    """Every world that can be reached, sound or not."""
    seen = set(model.starts())
    frontier = list(seen)
    while frontier:
        for _, raw in model.steps(frontier.pop()):
            after = model.settled(raw)
            if after not in seen:
                seen.add(after)
                frontier.append(after)
    return seen


def _way(ways: dict[World, tuple[World | None, str]], world: World) -> str:
    names: list[str] = []
    at: World | None = world
    while at is not None:
        at, name = ways[at]
        names.append(name)
    return "; ".join(reversed(names[:-1]))


def breaches(model: Model, before: World, world: World) -> Iterator[str]:
    """What does not hold here, or not after `before`."""
    for room, log in enumerate(world.logs):
        copies = [node.copies[room] for node in world.nodes if node.life is not Life.DEAD]
        yield from _one_history([copy for copy in (log, *copies) if copy is not None])
        if log is not None:
            if before.history == world.history:
                yield from _goes_on(before.logs[room], log)
            yield from _once(log)
            if (
                log.history == world.history
            ):  # else it may lack what others know, and nothing is appended to it any more
                yield from _kept(model, world, room, log)


def _one_history(copies: list[Copy]) -> Iterator[str]:
    """An epoch names one history: of any two, one is the beginning of the other."""
    for one in copies:
        for other in copies:
            shared = min(one.seq, other.seq)
            if one.epoch == other.epoch and (one.base, one.entries[:shared]) != (other.base, other.entries[:shared]):
                yield "two histories of one epoch"


def _goes_on(before: Copy | None, log: Copy) -> Iterator[str]:
    """The log never goes back within an epoch, and epochs only rise."""
    if before is not None and (log.epoch, log.seq) < (before.epoch, before.seq):
        yield "the log goes back"


def _once(log: Copy) -> Iterator[str]:
    """Each command has one effect at most; x and y exclude each other."""
    commands = [entry[0] for entry in log.all()]
    if len(set(commands)) < len(commands):
        yield "a command has two effects"
    if any(command in commands and rival in commands for command, rival in RIVALS.items()):
        yield "decided on a state that was not current"


def _kept(model: Model, world: World, room: int, log: Copy) -> Iterator[str]:
    """What was acknowledged is there; who has come has a seat, until they leave."""
    there = seats(log.all(), grace=not model.broken.grace)
    for where, command in world.owed:
        if where != room:
            continue
        seat = any(order.seat and order.command == command for order in model.orders)
        if seat and command not in there:
            yield f"{command} has lost the seat"
        if not seat and not log.knows(command):
            yield f"{command} was acknowledged and is not there"
    for person, node in world.people if log.born is None else ():
        # Given up is a seat only together with its node. In a new life it may be: then its people are told to return.
        if node != NOWHERE and there.get(person) == NOWHERE and _speaks(world, node):
            yield f"{person} speaks through {node}, and counts as lost"


def _speaks(world: World, name: str) -> bool:
    """Whether this node was not given up."""
    running = [name_of(number, node) for number, node in enumerate(world.nodes) if node.life is Life.RUNNING]
    return name in running and name not in world.lapsed
