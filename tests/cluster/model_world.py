# SPDX-License-Identifier: Apache-2.0
"""What the model of nodes, log, epochs and leases is made of: one state of everything, as values. Pure."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

Entry = tuple[str, str, str]
"""Id of the command, person, node: (id, "", "") is an effect, (id, person, node) a seat, (id, "", node) a node lost."""
History = tuple[Entry, ...]
NOWHERE = "lost"


class Life(IntEnum):
    """What a node does."""

    RUNNING = 0
    PAUSED = 1
    DEAD = 2


class Copy(NamedTuple):
    """A life of a room: `base` happened before it. As Redis has it, or a node.

    Redis knows from where it was restored (`born`), and in which of its own histories that was.
    """

    epoch: int
    base: History
    entries: History
    born: tuple[int, int] | None = None
    history: int = 0

    @property
    def seq(self) -> int:
        """How far it has come."""
        return len(self.entries)

    def all(self) -> History:
        """Everything that has happened."""
        return self.base + self.entries

    def knows(self, command: str) -> bool:
        """Whether this command has happened."""
        return any(entry[0] == command for entry in self.all())


class Node(NamedTuple):
    """One node. `sent`: for each room, what was sent without an answer; `queue`: what waits for its verdict."""

    life: Life
    run: int
    copies: tuple[Copy | None, ...]
    sent: tuple[tuple[int, int, int] | None, ...]
    queues: tuple[tuple[int, ...], ...]


class Order(NamedTuple):
    """Somebody wants something in a room, at a node. `seat`: to sit there; else to have an effect, as `command`."""

    room: int
    node: int
    command: str
    seat: bool = False


class Budget(NamedTuple):
    """How often what need not happen may happen."""

    lost: int = 0
    late: int = 0
    pauses: int = 0
    deaths: int = 0
    wipes: int = 0
    failovers: int = 0


class Broken(NamedTuple):
    """Checks that are left out."""

    position: bool = False
    command: bool = False
    epoch: bool = False
    grace: bool = False
    burial: bool = False
    history: bool = False


class World(NamedTuple):
    """One state of everything."""

    logs: tuple[Copy | None, ...]
    nodes: tuple[Node, ...]
    late: frozenset[tuple[int, int, int, Entry]]
    lapsed: frozenset[str]
    orphans: frozenset[str]
    due: frozenset[int]
    verdicts: tuple[str, ...]
    people: tuple[tuple[str, str], ...]
    """By order: the node through which a seat is used (or `NOWHERE`), for who has one."""
    owed: frozenset[tuple[int, str]]
    """What was acknowledged, or who was seated, and must not be forgotten."""
    budget: Budget
    time: int
    history: int = 0
    """Another one after each failover."""


Step = tuple[str, World]
RIVALS = {"x": "y", "y": "x"}


def name_of(number: int, node: Node) -> str:
    """Of this run of the node."""
    return f"{number}.{node.run}"


def seats(history: History, *, grace: bool = True) -> dict[str, str]:
    """Who has a seat, and through which node."""
    found: dict[str, str] = {}
    for _, person, node in history:
        if person:
            found[person] = node
        elif node:
            lost = [who for who, where in found.items() if where == node]
            for who in lost:
                if grace:
                    found[who] = NOWHERE
                else:
                    del found[who]
    return found


def with_at(values: tuple, index: int, value: object) -> tuple:  # type: ignore[type-arg]
    """The values with this one in its place."""
    return (*values[:index], value, *values[index + 1 :])


def put(world: World, number: int, node: Node) -> World:
    """The world in which this node is like this."""
    return world._replace(nodes=with_at(world.nodes, number, node))
