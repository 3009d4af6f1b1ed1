# SPDX-License-Identifier: Apache-2.0
"""Who is told of what a room has committed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import methodcaller
from typing import Protocol

from msgspec import Struct

from server.ports import Epoch, Seq
from server.rooms.events import Event
from server.rooms.state import RoomState
from server.runner.steps import Committed, Reset

Report = Callable[[Exception], None]


class Commit(Struct, frozen=True):
    """Entries `first` to `last` of this epoch, committed one after another; `events` lead from `before` to `after`.

    `commands` and `traces`: of the entries. `at_ms`: log time of the first one's decision.
    """

    before: RoomState
    after: RoomState
    epoch: Epoch
    first: Seq
    last: Seq
    events: tuple[Event, ...]
    commands: tuple[str, ...] = ()
    at_ms: int = 0
    traces: tuple[str, ...] = ()


class Listener(Protocol):
    """Who is told of a room. Called synchronously, in order; must not block, may enqueue commands."""

    def committed(self, commit: Commit) -> None:
        """What has happened; before any of its commands is acknowledged."""

    def reset(self, state: RoomState, epoch: Epoch, seq: Seq) -> None:
        """The room was loaded anew: show this state instead of what was shown before."""

    def closed(self, error: Exception) -> None:
        """The runner has ended and tells nothing more; `error` is what commands get from now on."""


def joined(run: Sequence[Committed]) -> Commit:
    """Entries in a row as one commit."""
    first, last = run[0], run[-1]
    if first is last:  # as a rule; nothing has to be put together
        entry, epoch, seq = first.entry, first.epoch, first.seq
        named, traced = (entry.command,), (entry.trace,)
        return Commit(first.before, first.after, epoch, seq, seq, entry.events, named, entry.at_ms, traced)
    events = tuple(event for committed in run for event in committed.entry.events)
    commands = tuple(committed.entry.command for committed in run)
    traces = tuple(committed.entry.trace for committed in run)
    return Commit(
        first.before, last.after, first.epoch, first.seq, last.seq, events, commands, first.entry.at_ms, traces
    )


class Listeners:
    """The listeners of a room. One that fails is reported and does not stop the others."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._listeners: tuple[Listener, ...] = ()

    def add(self, listener: Listener) -> Callable[[], None]:
        """Tell this listener from now on; the returned function ends that."""
        self._listeners += (listener,)

        def remove() -> None:
            self._listeners = tuple(known for known in self._listeners if known is not listener)

        return remove

    def tell_closed(self, error: Exception) -> None:
        """Tell that nothing more will be told."""
        self._each(lambda listener: listener.closed(error))
        self._listeners = ()

    def tell_run(self, run: Sequence[Committed]) -> None:
        """Tell of entries in a row, at once."""
        if run and self._listeners:
            self._each(methodcaller("committed", joined(run)))

    def tell_reset(self, reset: Reset) -> None:
        """Tell of a room that was loaded anew."""
        self._each(lambda listener: listener.reset(reset.state, reset.epoch, reset.seq))

    def _each(self, tell: Callable[[Listener], None]) -> None:
        for listener in self._listeners:
            try:
                tell(listener)
            except Exception as error:  # noqa: BLE001 - reported; the room and its other listeners go on
                self._report(error)
