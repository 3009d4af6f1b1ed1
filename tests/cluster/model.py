# SPDX-License-Identifier: Apache-2.0
"""The protocol of nodes, log, epochs and leases as a small state machine, to be enumerated. Pure.

A call of the log is one step, as the script makes it; its reply may be lost, and it may be executed late. That the
pipeline of a node keeps its promises with every order of requests, replies and hints is shown in `tests/runner/model`;
here nodes stop, die, are given up and wake, people come back elsewhere, and Redis loses everything, or the last entry.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from tests.cluster.model_world import (
    NOWHERE,
    RIVALS,
    Broken,
    Budget,
    Copy,
    Entry,
    Life,
    Node,
    Order,
    Step,
    World,
    name_of,
    put,
    seats,
    with_at,
)


class Model:
    """The steps of a setup."""

    def __init__(
        self, orders: tuple[Order, ...], budget: Budget, *, nodes: int = 3, rooms: int = 2, broken: Broken | None = None
    ) -> None:
        self.orders = orders
        self.rooms = rooms
        self.broken = broken or Broken()
        self._budget = budget
        self._nodes = nodes

    def first(self) -> World:
        """Both rooms are open; every node has them loaded."""
        opened = tuple(Copy(1, (), ()) for _ in range(self.rooms))
        nothing: tuple[None, ...] = (None,) * self.rooms
        node = Node(Life.RUNNING, 1, opened, nothing, ((),) * self.rooms)
        return World(
            opened,
            (node,) * self._nodes,
            frozenset(),
            frozenset(),
            frozenset(),
            frozenset(range(len(self.orders))),
            ("",) * len(self.orders),
            (),
            frozenset(),
            self._budget,
            1,
        )

    def starts(self) -> Iterator[World]:
        """Where it can begin."""
        yield self.first()

    def settled(self, world: World) -> World:
        """The one that stands for all that differ from this one in nothing that counts."""
        return world

    def steps(self, world: World) -> Iterator[Step]:
        """All that can happen next."""
        for number, node in enumerate(world.nodes):
            if node.life is Life.RUNNING:
                yield from self._work(world, number, node)
            yield from self._fate(world, number, node)
        for ticket in world.due:
            order = self.orders[ticket]
            if world.nodes[order.node].life is Life.RUNNING:
                yield f"{order.command} to {order.node}", self._deliver(world, ticket, order.node)
        for late in world.late:
            rest = world._replace(late=world.late - {late})
            room, epoch, seq, entry = late
            yield "late append", self._append(rest, room, epoch, seq, entry)[0]
        if world.budget.wipes and any(world.logs):
            spent = world.budget._replace(wipes=world.budget.wipes - 1)
            yield "wipe", self._wiped(world._replace(budget=spent))
        if world.budget.failovers:
            spent = world.budget._replace(failovers=world.budget.failovers - 1)
            yield from self._failovers(world._replace(budget=spent, history=world.history + 1))

    # -- a node at work ------------------------------------------------------------------------------------------------

    def _work(self, world: World, number: int, node: Node) -> Iterator[Step]:
        name = name_of(number, node)
        if name in world.lapsed:
            yield f"{name} wakes", self._rise(world, number, node)
            if not self.broken.burial:
                return
        for room in range(self.rooms):
            if not self._current(world, node, room):
                yield f"{name} looks at {room}", self._look(world, number, room)
            if node.queues[room]:
                yield from self._ask(world, number, room)
        yield from self._release(world, node)
        yield from self._return(world, number)

    def _ask(self, world: World, number: int, room: int) -> Iterator[Step]:
        """Append what waits first; with what was sent before, the very same again."""
        node = world.nodes[number]
        copy, sent, queue = node.copies[room], node.sent[room], node.queues[room]
        if copy is None:
            return
        if sent is not None and (sent[1], sent[2]) != (copy.epoch, copy.seq):
            yield "decide again", put(world, number, node._replace(sent=with_at(node.sent, room, None)))
            return
        yield from self._send(world, number, room, queue[0], copy)

    def _send(self, world: World, number: int, room: int, ticket: int, copy: Copy) -> Iterator[Step]:
        order, node = self.orders[ticket], world.nodes[number]
        name = name_of(number, node)
        entry = self._entry(ticket, name)
        if copy.knows(entry[0]) and not self.broken.command:
            yield f"{name} knows {entry[0]}", self._answer(world, number, room, "ok")
            return
        if copy.knows(RIVALS.get(order.command, "-")):
            # Said only once the state it was decided on has proved current.
            if self._current(world, node, room):
                yield f"{name} refuses {entry[0]}", self._answer(world, number, room, "no")
            return
        stored, done = self._append(world, room, copy.epoch, copy.seq, entry)
        if self._current(world, node, room) and self._goes_on_elsewhere(world, room):
            yield f"{name} begins {room} anew", self._look(world, number, room)
        if done:
            yield f"{name} appends {entry[0]}", self._answer(self._seen(stored, number, room), number, room, "ok")
        waiting = node._replace(sent=with_at(node.sent, room, (ticket, copy.epoch, copy.seq)))
        budget = world.budget
        if budget.lost:
            spent = stored._replace(budget=budget._replace(lost=budget.lost - 1))
            yield f"{name} appends {entry[0]}, unanswered", put(spent, number, waiting)
        if budget.late:
            spent = world._replace(budget=budget._replace(late=budget.late - 1))
            spent = spent._replace(late=world.late | {(room, copy.epoch, copy.seq, entry)})
            yield f"{name} appends {entry[0]} late", put(spent, number, waiting)

    def _entry(self, ticket: int, name: str) -> Entry:
        order = self.orders[ticket]
        return (f"{order.command}@{name}", order.command, name) if order.seat else (order.command, "", "")

    def _answer(self, world: World, number: int, room: int, verdict: str) -> World:
        """The first in the queue is answered."""
        node = world.nodes[number]
        ticket, *rest = node.queues[room]
        order = self.orders[ticket]
        node = node._replace(sent=with_at(node.sent, room, None), queues=with_at(node.queues, room, tuple(rest)))
        people, owed = world.people, world.owed
        if verdict == "ok":
            # What a node knows again while the log has lost it is promised no better than it was.
            owed |= {(room, order.command)} if self._has(world.logs[room], order.command) else set()
            if order.seat:
                there = dict(people) | {order.command: name_of(number, node)}
                people = tuple(sorted(there.items()))
        verdicts = with_at(world.verdicts, ticket, verdict)
        return put(world._replace(people=people, owed=owed, verdicts=verdicts), number, node)

    def _look(self, world: World, number: int, room: int) -> World:
        """Read, or load and maybe begin anew: as `read` and `restore`."""
        node, log = world.nodes[number], world.logs[room]
        copy = node.copies[room]
        as_much = copy is not None and self._current(world, node, room) and self._goes_on_elsewhere(world, room)
        if copy is not None and (log is None or as_much or self._lost(log, copy)):
            highest = max(copy.epoch, 0 if log is None else log.epoch)
            epoch = copy.epoch if self.broken.epoch else max(highest, world.time) + 1
            log = Copy(epoch, copy.all(), (), (copy.epoch, copy.seq), world.history)
            world = world._replace(logs=with_at(world.logs, room, log), time=epoch)
        return self._seen(world, number, room)

    def _seen(self, world: World, number: int, room: int) -> World:
        """The node has the room as the log has it; it hangs up on people whose seat is not with it any more."""
        node, log = world.nodes[number], world.logs[room]
        copy = None if log is None else log._replace(born=None, history=0)
        name = name_of(number, node)
        there = {} if copy is None else seats(copy.all(), grace=not self.broken.grace)
        here = {order.command for order in self.orders if order.seat and order.room == room}
        people = tuple(
            (who, NOWHERE if where == name and who in here and there.get(who) != name else where)
            for who, where in world.people
        )
        return put(world._replace(people=people), number, node._replace(copies=with_at(node.copies, room, copy)))

    def _current(self, world: World, node: Node, room: int) -> bool:
        """Whether this node knows the room as the log has it."""
        copy, log = node.copies[room], world.logs[room]
        return copy == (None if log is None else log._replace(born=None, history=0))

    def _goes_on_elsewhere(self, world: World, room: int) -> bool:
        """Whether Redis may have lost what others know of this life."""
        log = world.logs[room]
        return log is not None and log.history != world.history and not self.broken.history

    def _lost(self, log: Copy, copy: Copy) -> bool:
        if log.epoch == copy.epoch:
            return log.seq < copy.seq
        if log.epoch < copy.epoch:
            return True
        return log.born is not None and log.seq == 0 and log.born[0] == copy.epoch and log.born[1] < copy.seq

    def _append(self, world: World, room: int, epoch: int, seq: int, entry: Entry) -> tuple[World, bool]:
        """As the script does; and whether it was stored."""
        log = world.logs[room]
        if log is None or log.epoch != epoch or (log.seq != seq and not self.broken.position):
            return world, False
        if self._goes_on_elsewhere(world, room):
            return world, False
        if any(known[0] == entry[0] for known in log.entries) and not self.broken.command:
            return world, False
        log = log._replace(entries=(*log.entries, entry))
        return world._replace(logs=with_at(world.logs, room, log)), True

    # -- leases --------------------------------------------------------------------------------------------------------

    def _fate(self, world: World, number: int, node: Node) -> Iterator[Step]:
        name, budget = name_of(number, node), world.budget
        if node.life is Life.RUNNING:
            if budget.pauses:
                spent = world._replace(budget=budget._replace(pauses=budget.pauses - 1))
                yield f"pause {name}", put(spent, number, node._replace(life=Life.PAUSED))
            if budget.deaths:
                spent = world._replace(budget=budget._replace(deaths=budget.deaths - 1))
                yield f"kill {name}", self._hung_up(put(spent, number, node._replace(life=Life.DEAD)), name)
            return
        if node.life is Life.PAUSED:
            yield f"resume {name}", put(world, number, node._replace(life=Life.RUNNING))
        if name not in world.lapsed and any(other.life is Life.RUNNING for other in world.nodes):
            yield f"bury {name}", world._replace(lapsed=world.lapsed | {name}, orphans=world.orphans | {name})

    def _rise(self, world: World, number: int, node: Node) -> World:
        """A node that was given up goes on as somebody else, without its people."""
        name = name_of(number, node)
        if self.broken.burial:
            return world._replace(lapsed=world.lapsed - {name})
        return self._hung_up(put(world, number, node._replace(run=node.run + 1)), name)

    def _hung_up(self, world: World, name: str) -> World:
        """Whoever spoke through this node speaks through none."""
        people = tuple((who, NOWHERE if where == name else where) for who, where in world.people)
        return world._replace(people=people)

    def _release(self, world: World, node: Node) -> Iterator[Step]:
        """Let the grace of the seats of a lost node begin, in all rooms."""
        for orphan in world.orphans:
            left = False
            for room in range(self.rooms):
                copy = node.copies[room]
                if copy is None or orphan not in seats(copy.all(), grace=not self.broken.grace).values():
                    continue
                left = True
                entry = (f"lost:{orphan}:{copy.epoch}:{copy.seq}", "", orphan)
                yield f"release {orphan} in {room}", self._append(world, room, copy.epoch, copy.seq, entry)[0]
            current = all(self._current(world, node, room) for room in range(self.rooms))
            if not left and current:
                yield f"{orphan} settled", world._replace(orphans=world.orphans - {orphan})

    def _return(self, world: World, number: int) -> Iterator[Step]:
        """Somebody without a connection comes back, here."""
        for ticket, order in enumerate(self.orders):
            if order.seat and (order.command, NOWHERE) in world.people:
                waiting = any(ticket in node.queues[order.room] for node in world.nodes if node.life is not Life.DEAD)
                if not waiting:
                    yield f"{order.command} returns to {number}", self._deliver(world, ticket, number)

    def _deliver(self, world: World, ticket: int, number: int) -> World:
        node, room = world.nodes[number], self.orders[ticket].room
        queues = with_at(node.queues, room, (*node.queues[room], ticket))
        return put(world._replace(due=world.due - {ticket}), number, node._replace(queues=queues))

    def _wiped(self, world: World) -> World:
        """Redis is empty."""
        return self._owing(world._replace(logs=(None,) * self.rooms))

    def _failovers(self, world: World) -> Iterator[Step]:
        """A replica takes over that has not got the last entry of some rooms."""
        for kept in product((True, False), repeat=self.rooms):
            if all(keeps or (log is not None and log.entries) for keeps, log in zip(kept, world.logs, strict=True)):
                logs = tuple(
                    log if keeps or log is None else log._replace(entries=log.entries[:-1])
                    for keeps, log in zip(kept, world.logs, strict=True)
                )
                yield f"fail over, keeping {kept}", self._owing(world._replace(logs=logs))

    def _owing(self, world: World) -> World:
        """Of what Redis lost that is owed what all living nodes know of this life: whoever begins anew, it is there."""
        owed = frozenset(
            (room, command)
            for room, command in world.owed
            if self._has(world.logs[room], command) or self._all_know(world, room, command)
        )
        return world._replace(owed=owed)

    def _all_know(self, world: World, room: int, command: str) -> bool:
        copies = [node.copies[room] for node in world.nodes if node.life is not Life.DEAD]
        log = world.logs[room]
        lives = {log.epoch for log in (log, *copies) if log is not None}
        return bool(copies) and all(self._has(copy, command) for copy in copies) and (log is None or len(lives) == 1)

    def _has(self, copy: Copy | None, command: str) -> bool:
        return copy is not None and (copy.knows(command) or any(entry[1] == command for entry in copy.all()))
