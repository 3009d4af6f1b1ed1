# SPDX-License-Identifier: Apache-2.0
"""The same protocol with fewer states, for worlds in which nodes die or sleep, and neither Redis nor an append is lost.

What is left out changes nothing that can be seen, now or later (`test_model` compares what both see, in worlds that are
small enough for both):

- Orders wait from the start, and a node begins with whichever it wants, when it wants.
- A node looks at the log as soon as it can, unless it hangs up on somebody by that: with a copy that is not the newest
  it can neither append nor refuse, and what it knows already the newest knows, too.
- Of a log counts what has happened, and where the seats are; the order of effects does not, nor do seats of the past.
- Of a node that is dead, or asleep, or given up, its copies do not count: it begins with the newest, if it goes on.
- Nobody asks for verdicts that were given.

The checks of the position and of the epoch are taken for granted here; they are left to the whole model.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.cluster.model import Model
from tests.cluster.model_world import NOWHERE, Copy, Entry, Life, Node, Step, World, name_of, put, seats


class Reduced(Model):
    """Its worlds are settled: of those that differ in nothing that counts there is one."""

    def starts(self) -> Iterator[World]:
        """Everybody has come."""
        first = self.first()._replace(due=frozenset())
        for ticket, order in enumerate(self.orders):
            first = self._deliver(first, ticket, order.node)
        yield self.settled(first)

    def settled(self, world: World) -> World:
        """The one that stands for this one."""
        logs = tuple(None if log is None else self._gist(log) for log in world.logs)
        world = world._replace(logs=logs, verdicts=("",) * len(self.orders))
        return world._replace(nodes=tuple(self._rested(world, number, node) for number, node in enumerate(world.nodes)))

    def _rested(self, world: World, number: int, node: Node) -> Node:
        if node.life is Life.DEAD:
            nothing: tuple[None, ...] = (None,) * self.rooms
            return node._replace(copies=nothing, sent=nothing, queues=((),) * self.rooms)
        given_up = name_of(number, node) in world.lapsed and not self.broken.burial
        blind = given_up or node.life is Life.PAUSED
        copies = tuple(self._copy(world, number, room, blind=blind) for room in range(self.rooms))
        return node._replace(copies=copies, queues=tuple(tuple(sorted(queue)) for queue in node.queues))

    def _ask(self, world: World, number: int, room: int) -> Iterator[Step]:
        """Whichever waits may have come first."""
        node = world.nodes[number]
        queue = node.queues[room]
        for ticket in queue:
            first = (ticket, *(other for other in queue if other != ticket))
            queues = (*node.queues[:room], first, *node.queues[room + 1 :])
            yield from super()._ask(put(world, number, node._replace(queues=queues)), number, room)

    def _copy(self, world: World, number: int, room: int, *, blind: bool) -> Copy | None:
        log = world.logs[room]
        if log is None or not (blind or self._look(world, number, room).people != world.people):
            return log
        return log._replace(entries=())

    def _gist(self, log: Copy) -> Copy:
        """Effects in one order, seats that were taken, and where they are now."""
        effects = sorted(entry for entry in log.entries if not entry[1] and not entry[2])
        taken = sorted({entry for entry in log.entries if entry[1] and not entry[0].startswith("=")})
        there = seats(log.entries, grace=not self.broken.grace)
        now: list[Entry] = [(f"={person}", person, node) for person, node in sorted(there.items())]
        missing: list[Entry] = [(f"={person}", "", NOWHERE) for _, person, _ in taken if person not in there]
        return log._replace(entries=(*effects, *taken, *now, *missing))


Seen = tuple[object, ...]


def seen_in(model: Model, world: World) -> Seen:
    """What can be seen of a world, whole or reduced: who lives, what has happened, who sits where, and what is owed."""
    logs = tuple(
        (
            frozenset(entry[0] for entry in log.entries if entry[2] == "" or entry[1]) - {f"={who}" for who in there},
            tuple(sorted(there.items())),
        )
        for log in world.logs
        if log is not None
        for there in (seats(log.entries, grace=not model.broken.grace),)
    )
    nodes = tuple((node.life, node.run) for node in world.nodes)
    return logs, nodes, world.lapsed, world.orphans, world.people, world.owed
