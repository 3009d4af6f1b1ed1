# SPDX-License-Identifier: Apache-2.0
"""Everything that two nodes, one log and the network between them can do, breadth first.

The pipelines are the real ones. A step is one thing that happens somewhere; all orders of steps are tried.
Hints may come at any time after their entry is stored, in any order, any number of times, or never.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable, Iterator
from functools import partial
from typing import Final, TypeVar

from msgspec import Struct
from msgspec.structs import astuple, replace

from server.ids import ParticipantId
from server.ports import Entry, Epoch, Loaded, Seq
from server.rooms.state import RoomState
from server.runner.pipeline import Pipeline
from server.runner.steps import (
    Append,
    Limits,
    Request,
    Rules,
    Submission,
)
from tests.runner.model_log import AppendReply, Faults, Life, ReadReply, Reply, execute
from tests.runner.promises import check_effects, check_place, check_refusals, check_state, check_verdict, life_of
from tests.runner.toys import DUE_MS, FIRST, RAISE, TIMELESS, effects, key_of


class Budget(Struct, frozen=True):
    """How often what need not happen may happen."""

    lost: int = 0
    reseeds: int = 0
    trims: int = 0
    expiries: int = 0
    ticks: int = 0


class Setup(Struct, frozen=True):
    """`plan`: who presses, at which node; the same person twice is a retry.

    Delivered in any order, or with `queued` at each node in the order of the plan.
    """

    plan: tuple[tuple[str, int], ...]
    budget: Budget = Budget()
    rules: Rules = TIMELESS
    limits: Limits = Limits(batch=2, snapshot_every=2)
    pipeline: type[Pipeline] = Pipeline
    faults: Faults = Faults()
    nodes: int = 2
    queued: bool = False


class Hinted(Struct, frozen=True):
    """A hint on its way."""

    epoch: Epoch
    seq: Seq
    entry: Entry


class Wire(Struct, frozen=True):
    """A request on its way to the log, or its reply on its way back."""

    request: Request
    reply: Reply | None = None


class World(Struct, frozen=True):
    """One state of everything. `shown`: what listeners of each node saw last. `known`: the log held it at delivery."""

    nodes: tuple[Pipeline, ...]
    wires: tuple[Wire | None, ...]
    shown: tuple[tuple[Epoch, Seq], ...]
    lives: tuple[Life, ...]
    budget: Budget
    due: tuple[int, ...]
    zombies: tuple[Append, ...] = ()
    known: frozenset[int] = frozenset()
    verdicts: tuple[str, ...] = ()


T = TypeVar("T")
Step = tuple[str, bool, World]
"""Name; whether it must happen sooner or later; and what is then."""

_KEYED: Final = ("_batch", "_busy", "_need", "_now_ms", "_queue", "_timeout_tried", "epoch", "gone", "seq", "state")
_FIXED: Final = {"_at_ms", "_due", "_limits", "_outputs", "_rules", "_seed"}
"""The same in all worlds of a setup, or always empty between steps, or told by the log at `seq`."""

_HASHABLE: Final = (int, str, Entry, Submission, type(None))


def plain(value: object) -> Hashable:
    """A value of the pipeline or the log as something to hash."""
    if isinstance(value, _HASHABLE):
        return value
    if isinstance(value, RoomState):
        return effects(value), tuple(value.recent.items())
    if isinstance(value, Struct):
        return type(value).__name__, *map(plain, astuple(value))
    if isinstance(value, tuple):
        return tuple(map(plain, value))
    return repr(value)


class Model:
    """The steps of a setup, each checked as it happens."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.keys = tuple(key_of(person) for person, _ in setup.plan)
        self._parts: dict[Hashable, int] = {}
        self._pipelines: dict[Hashable, Pipeline] = {}

    def key(self, world: World) -> Hashable:
        """Two worlds with the same key have the same future."""
        lives = tuple((life.trimmed, life.snapshot_seq, life.entries, life.states[0]) for life in world.lives)
        parts = (plain(world.wires), plain(lives), plain(world.zombies))
        numbers = (self._parts.setdefault(part, len(self._parts)) for part in parts)
        return world.nodes, *numbers, world.shown, world.budget, world.due, world.known, world.verdicts

    def _same(self, pipeline: Pipeline) -> Pipeline:
        """One object for all pipelines in this state."""
        state = vars(pipeline)
        return self._pipelines.setdefault(tuple(plain(state[name]) for name in _KEYED), pipeline)

    def first(self) -> World:
        """Both nodes have just loaded a new room."""
        setup, life = self.setup, Life(Epoch(1), (FIRST,))
        loaded = Loaded(life.epoch, Seq(0), FIRST, ())
        node = self._same(setup.pipeline(setup.rules, loaded, setup.limits))
        if vars(node).keys() != {*_KEYED} | _FIXED:
            raise AssertionError("an attribute of the pipeline is not part of the key")
        return World(
            (node,) * setup.nodes,
            (None,) * setup.nodes,
            ((life.epoch, Seq(0)),) * setup.nodes,
            (life,),
            setup.budget,
            tuple(range(len(setup.plan))),
            verdicts=("",) * len(setup.plan),
        )

    def steps(self, world: World) -> Iterator[Step]:
        """All that can happen next."""
        nodes = [self.setup.plan[ticket][1] for ticket in world.due]
        for place, ticket in enumerate(world.due):
            if not self.setup.queued or nodes[place] not in nodes[:place]:
                yield self._deliver(world, ticket)
        for node in range(self.setup.nodes):
            yield from self._network(world, node)
            yield from self._hints(world, node)
            yield from self._clock(world, node)
        for index, zombie in enumerate(world.zombies):
            rest = (*world.zombies[:index], *world.zombies[index + 1 :])
            yield "late append", False, self._stored(replace(world, zombies=rest), zombie)[0]
        yield from self._disasters(world)

    # -- steps ---------------------------------------------------------------------------------------------------------

    def _deliver(self, world: World, ticket: int) -> Step:
        person, node = self.setup.plan[ticket]
        submission = Submission(ticket, key_of(person), RAISE, ParticipantId(person))
        if world.lives[-1].where(submission.key) is not None:
            world = replace(world, known=world.known | {ticket})
        world = replace(world, due=tuple(other for other in world.due if other != ticket))
        return f"{person} to {node}", True, self._into(world, node, lambda pipeline: pipeline.submit(submission))

    def _network(self, world: World, node: int) -> Iterator[Step]:
        wire = world.wires[node]
        if wire is None:
            pipeline = copy.copy(world.nodes[node])
            request = pipeline.request()
            after = self._seen(world, node, pipeline)
            if request is not None:
                yield f"ask {node}", True, _wired(after, node, Wire(request))
            elif after.verdicts != world.verdicts:
                yield f"look {node}", True, after
        elif wire.reply is None:
            after, reply = self._stored(world, wire.request)
            yield f"execute {node}", True, _wired(after, node, Wire(wire.request, reply))
            if world.budget.lost:
                lost = self._lose(world, node)
                yield f"request of {node} lost", False, lost
                if isinstance(wire.request, Append):
                    yield f"request of {node} late", False, replace(lost, zombies=(*lost.zombies, wire.request))
        else:
            yield f"reply {node}", True, self._into(_wired(world, node, None), node, partial(_answer, wire.reply))
            if world.budget.lost:
                yield f"reply to {node} lost", False, self._lose(world, node)

    def _lose(self, world: World, node: int) -> World:
        spent = replace(world, budget=replace(world.budget, lost=world.budget.lost - 1))
        return self._into(_wired(spent, node, None), node, lambda pipeline: pipeline.failed())

    def _hints(self, world: World, node: int) -> Iterator[Step]:
        for life in world.lives:
            for seq, entry in enumerate(life.entries, 1):
                after = self._into(world, node, partial(_hint, Hinted(life.epoch, Seq(seq), entry)))
                if after.nodes[node] is not world.nodes[node]:
                    yield f"hint {life.epoch}-{seq} to {node}", False, after

    def _clock(self, world: World, node: int) -> Iterator[Step]:
        budget = world.budget
        if budget.ticks and vars(world.nodes[node])["_now_ms"] < DUE_MS:
            spent = replace(world, budget=replace(budget, ticks=budget.ticks - 1))
            yield f"tick {node}", False, self._into(spent, node, lambda pipeline: pipeline.advance(DUE_MS))
        if budget.expiries and world.nodes[node].backlog:
            spent = replace(world, budget=replace(budget, expiries=budget.expiries - 1))
            yield f"expire {node}", False, self._into(spent, node, lambda pipeline: pipeline.expire(1))

    def _disasters(self, world: World) -> Iterator[Step]:
        life, budget = world.lives[-1], world.budget
        if budget.reseeds:
            spent = replace(budget, reseeds=budget.reseeds - 1)
            for state in {effects(node.state): node.state for node in world.nodes}.values():
                new = Life(Epoch(life.epoch + 1), (state,))
                yield "new epoch", False, replace(world, lives=(*world.lives, new), budget=spent)
        if budget.trims and life.entries and life.trimmed < life.seq:
            spent = replace(budget, trims=budget.trims - 1)
            new = replace(life, trimmed=int(life.seq), snapshot_seq=int(life.seq))
            yield "trim", False, replace(world, lives=(*world.lives[:-1], new), budget=spent)

    # -- effects of a step ---------------------------------------------------------------------------------------------

    def _into(self, world: World, node: int, give: Callable[[Pipeline], None]) -> World:
        pipeline = copy.copy(world.nodes[node])
        give(pipeline)
        return self._seen(world, node, pipeline)

    def _stored(self, world: World, request: Request) -> tuple[World, Reply]:
        before = world.lives[-1]
        life, reply = execute(before, request, self.setup.rules, self.setup.faults)
        if life is before:
            return world, reply
        check_effects(life)
        check_refusals(life, self.keys, world.verdicts)
        return replace(world, lives=(*world.lives[:-1], life)), reply

    def _seen(self, world: World, node: int, pipeline: Pipeline) -> World:
        """What the node shows now, checked against the log."""
        shown, verdicts = world.shown[node], list(world.verdicts)
        for output in pipeline.outputs():
            life = life_of(world.lives, shown[0])
            shown = check_place(life, shown, output)
            check_verdict(life, self.keys, world.known, shown, output, verdicts)
        check_state(life_of(world.lives, pipeline.epoch), shown, pipeline)
        check_refusals(world.lives[-1], self.keys, verdicts)
        return replace(
            world,
            nodes=_with(world.nodes, node, self._same(pipeline)),
            shown=_with(world.shown, node, shown),
            verdicts=tuple(verdicts),
        )


def _wired(world: World, node: int, wire: Wire | None) -> World:
    return replace(world, wires=_with(world.wires, node, wire))


def _with(values: tuple[T, ...], index: int, value: T) -> tuple[T, ...]:
    return (*values[:index], value, *values[index + 1 :])


def _hint(hinted: Hinted, pipeline: Pipeline) -> None:
    pipeline.hint(hinted.epoch, hinted.seq, (copy.copy(hinted.entry),))  # as decoded from the network


def _answer(reply: Reply, pipeline: Pipeline) -> None:
    match reply:
        case AppendReply(outcome):
            pipeline.appended(outcome)
        case ReadReply(outcome):
            pipeline.tail(outcome)
        case Loaded():
            pipeline.reloaded(reply)
