# SPDX-License-Identifier: Apache-2.0
"""What one client had before its eyes after each message, by the rules of PROTOCOL.md section 3 and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto
from typing import assert_never

from msgspec import Struct
from msgspec.structs import asdict

from server.ids import ParticipantId, Placement
from server.rooms.events import Event
from server.rooms.evolve import fold
from server.rooms.state import RoomState, RoomView
from server.signaling.messages import Events, RoomMessage, Snapshot, Welcome
from tests.faults.checker.history import History, Told

Position = tuple[int, int]
"""Epoch and seq."""


class Step(Enum):
    """How a message went on from where the client was."""

    FOLLOWS = auto()
    SHOWN = auto()
    """A whole view came, at or after the position."""
    OLD = auto()
    """Nothing new; ignored."""
    GAP = auto()
    """Does not follow: the client must ask for a snapshot."""
    BACK = auto()
    """A Welcome that is older than what the client has seen."""
    OVERLAP = auto()
    """Repeats a part of what the client has, together with something new."""


class Sight(Struct, frozen=True):
    """After one message: the position, the view (None: not to be trusted), and the events that were new."""

    at_ms: int
    step: Step
    before: Position
    position: Position
    view: RoomState | None
    events: tuple[Event, ...] = ()
    welcome: bool = False


def sights(history: History) -> Iterator[Sight]:
    """Everything the client was told, folded."""
    position, view = (0, 0), None
    for record in history.records:
        if isinstance(record, Told):
            sight = _take(record.at_ms, record.message, position, view)
            position, view = sight.position, sight.view
            yield sight


def _take(at_ms: int, message: RoomMessage, position: Position, view: RoomState | None) -> Sight:
    match message:
        case Welcome(view=RoomView() as shown):
            return _show(Sight(at_ms, Step.BACK, position, position, view, welcome=True), message, shown)
        case Snapshot(view=shown):
            return _show(Sight(at_ms, Step.OLD, position, position, view), message, shown)
        case Welcome():
            first = position[1] + 1 if (message.epoch, message.seq) >= position else 0
            return _follow(at_ms, position, view, _Tail(message.epoch, first, message.seq, message.tail or (), True))
        case Events():
            return _follow(
                at_ms, position, view, _Tail(message.epoch, message.first, message.to, message.events, False)
            )
        case _:
            assert_never(message)


def _show(sight: Sight, message: Welcome | Snapshot, shown: RoomView) -> Sight:
    """A view replaces everything, unless events have overtaken it."""
    there = (message.epoch, message.seq)
    if there < sight.before:
        return sight
    state = RoomState(**asdict(shown))
    return Sight(sight.at_ms, Step.SHOWN, sight.before, there, state, welcome=sight.welcome)


class _Tail(Struct, frozen=True):
    epoch: int
    first: int
    to: int
    events: tuple[Event, ...]
    welcome: bool


def _follow(at_ms: int, position: Position, view: RoomState | None, tail: _Tail) -> Sight:
    epoch, seq = position
    if tail.welcome and (tail.epoch, tail.to) < position:
        return Sight(at_ms, Step.BACK, position, position, view, welcome=True)
    if tail.epoch == epoch and tail.to <= seq and not tail.welcome:
        return Sight(at_ms, Step.OLD, position, position, view)
    if tail.epoch != epoch or tail.first > seq + 1:
        return Sight(at_ms, Step.GAP, position, position, None, welcome=tail.welcome)
    step = Step.FOLLOWS if tail.first == seq + 1 else Step.OVERLAP
    after = None if view is None else fold(view, tail.events)
    return Sight(at_ms, step, position, (epoch, tail.to), after, tail.events, tail.welcome)


def placements(view: RoomView) -> dict[ParticipantId, Placement]:
    """Where this client believes everybody to be."""
    return {person.id: person.placement for person in view.participants.values()}
