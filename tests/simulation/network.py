# SPDX-License-Identifier: Apache-2.0
"""Connections between people, nodes and Redis, as TCP has them: in order, late, cut, or gone without a word."""

from __future__ import annotations

from contextvars import Context, copy_context
from random import Random
from typing import Any, Final, Protocol

from tests.simulation.loop import Life, Process, SimLoop
from tests.simulation.trace import Trace

AGAIN_S: Final = 0.2
"""A lost packet is sent again after this; later ones wait for it."""


class End(Protocol):
    """One side of a connection."""

    def take(self, message: Any) -> None:  # noqa: ANN401 - what a connection carries is between its ends
        """The next message of the other side."""

    def closed(self) -> None:
        """The other side, or something in between, has ended the connection."""


class Place:
    """Where somebody is; `process` None: nobody who is ever stopped."""

    def __init__(self, name: str, process: Process | None = None) -> None:
        self.name: Final = name
        self.process: Final = process
        self.context: Final[Context] = copy_context() if process is None else process.context


class Wire:
    """One connection. Side 0 has opened it."""

    def __init__(self, net: Net, places: tuple[Place, Place]) -> None:
        self.ends: list[End | None] = [None, None]
        self.places: Final = places
        self.over = [False, False]
        self.held: tuple[list[Any], list[Any]] = ([], [])
        """What each side has sent into a cut."""
        self.deaf = False
        """Nothing that side 1 sends arrives, and nobody is told."""
        self._net = net
        self._last = [0.0, 0.0]

    def send(self, side: int, message: Any) -> None:  # noqa: ANN401
        """Send to the other side."""
        if self.over[side] or (self.deaf and side):
            return
        if self._net.is_cut(self.places[side], self.places[1 - side]):
            self.held[side].append(message)
        else:
            self._pass(side, message)

    def close(self, side: int) -> None:
        """End it; the other side is told, if word gets there."""
        if not self.over[side]:
            self.send(side, _OVER)
            self.over[side] = True
            if all(self.over):
                self._net.forget(self)

    def reset(self) -> None:
        """Both sides are told that it is gone; what was on its way is lost."""
        for side in (0, 1):
            if not self.over[side]:
                self._net.loop.call_soon(self._end, side, context=self.places[side].context)

    def release(self, side: int) -> None:
        """The cut is over: what this side has sent into it comes, late."""
        held = tuple(self.held[side])
        self.held[side].clear()
        for message in held:
            self._pass(side, message)

    def _pass(self, side: int, message: Any) -> None:  # noqa: ANN401
        sender, receiver = self.places[side], self.places[1 - side]
        at = max(self._last[side], self._net.loop.time() + self._net.delay_s(sender, receiver))
        self._last[side] = at
        self._net.loop.call_at(at, self._deliver, 1 - side, message, context=receiver.context)

    def _deliver(self, side: int, message: Any) -> None:  # noqa: ANN401
        end = self.ends[side]
        if self.over[side] or end is None:
            return
        if message is _OVER:
            self._end(side)
        else:
            end.take(message)

    def _end(self, side: int) -> None:
        end = self.ends[side]
        if not self.over[side] and end is not None:
            self.over[side] = True
            end.closed()
            if all(self.over):
                self._net.forget(self)


class _Over:
    """The last message of a side."""


_OVER: Final = _Over()


class Net:
    """All connections there are, and what goes wrong between places."""

    def __init__(self, loop: SimLoop, seed: str, trace: Trace) -> None:
        self.loop: Final = loop
        self.wires: dict[Wire, None] = {}
        self.slow = 1.0
        """How many times slower than usual everything is."""
        self.loss = 0.0
        """Share of packets that have to be sent again."""
        self._random = Random(f"{seed} network")
        self._trace = trace
        self._cuts: set[tuple[str, str]] = set()

    def wire(self, opener: Place, other: Place) -> Wire:
        """A new connection, once it is up."""
        wire = Wire(self, (opener, other))
        self.wires[wire] = None
        return wire

    def forget(self, wire: Wire) -> None:
        """Nobody uses it any more."""
        self.wires.pop(wire, None)

    def delay_s(self, sender: Place, receiver: Place) -> float:
        """How long a message takes."""
        del sender, receiver
        random = self._random.random()
        delay = (0.0002 + 0.0018 * random * random) * self.slow
        if self.loss and self._random.random() < self.loss:
            delay += AGAIN_S
        return delay

    def is_cut(self, sender: Place, receiver: Place) -> bool:
        """Whether nothing goes this way now."""
        return bool(self._cuts) and (sender.name, receiver.name) in self._cuts

    def cut(self, sender: str, receiver: str) -> None:
        """Let nothing go this way, without telling anybody."""
        self._cuts.add((sender, receiver))

    def heal(self, sender: str, receiver: str) -> None:
        """Let it go again. What was sent meanwhile arrives late, or its connection is found to be gone."""
        self._cuts.discard((sender, receiver))
        for wire in tuple(self.wires):
            for side in (0, 1):
                if (wire.places[side].name, wire.places[1 - side].name) == (sender, receiver) and wire.held[side]:
                    if self._random.random() < 0.5:
                        wire.release(side)
                    else:
                        wire.held[side].clear()
                        wire.reset()

    def died(self, process: Process) -> None:
        """The kernel ends the connections of a process that is no more."""
        for wire in tuple(self.wires):
            for side in (0, 1):
                if wire.places[side].process is process:
                    wire.close(side)

    def between(self, one: str, other: str) -> list[Wire]:
        """Connections of these two."""
        return [wire for wire in self.wires if {place.name for place in wire.places} == {one, other}]


def is_running(place: Place) -> bool:
    """Whether somebody is there."""
    return place.process is None or place.process.life is not Life.DEAD
