# SPDX-License-Identifier: Apache-2.0
"""A reliable, ordered way from one node to another over a channel that may lose, repeat and delay. Pure.

Go-back-N: letters are numbered, the receiver takes them in order and acknowledges the last one; what is not
acknowledged in time is sent again. A letter that waits may be replaced by a newer one of the same matter, so that an
outage piles up no more than the present state.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from typing import Final

from msgspec import Struct

from server.ids import NodeId

WINDOW: Final = 64
"""Letters on their way that are not acknowledged yet."""

RESEND_MS: Final = 300
"""Several round trips through Redis."""


class Letter(Struct, frozen=True, array_like=True):
    """One message; numbers begin with 1 in each stream."""

    number: int
    body: bytes


class Bundle(Struct, frozen=True, array_like=True):
    """What goes from one node to another at a time.

    `stream` and `heard_stream` tell which life of each direction is meant: a side that forgot the other begins a
    stream with a higher number. `heard`: the last letter of `heard_stream` that was taken. `loose`: may get lost.
    """

    sender: NodeId
    stream: int
    letters: tuple[Letter, ...]
    heard_stream: int
    heard: int
    loose: tuple[bytes, ...] = ()


class NodeLink:
    """One node's end of the way to one other node, both directions."""

    def __init__(self, me: NodeId, stream: int) -> None:
        self._me = me
        self._stream = stream
        self._next = 1
        self._waiting: dict[Hashable, bytes] = {}
        self._flying: deque[Letter] = deque()
        self._loose: list[bytes] = []
        self._since_ms: int | None = None
        """Since when nothing new was acknowledged of what flies."""
        self._heard_stream = 0
        self._heard = 0
        self._owes = False

    @property
    def busy(self) -> bool:
        """Whether letters wait to be sent or acknowledged."""
        return bool(self._waiting or self._flying)

    def put(self, body: bytes, matter: Hashable = None) -> None:
        """Send this; in place of what waits still and is of the same `matter` (None: of none)."""
        self._waiting[object() if matter is None else matter] = body

    def put_loose(self, body: bytes) -> None:
        """Send this with the next bundle, once."""
        self._loose.append(body)

    def take(self, now_ms: int) -> Bundle | None:
        """What is to be sent now; None: nothing."""
        letters = self._overdue(now_ms) + self._fresh()
        if not letters and not self._owes and not self._loose:
            return None
        if self._flying and self._since_ms is None:
            self._since_ms = now_ms
        loose, self._loose, self._owes = tuple(self._loose), [], False
        return Bundle(self._me, self._stream, tuple(letters), self._heard_stream, self._heard, loose)

    def receive(self, bundle: Bundle) -> tuple[bytes, ...]:
        """The messages that are next in order, then the loose ones."""
        if bundle.heard_stream == self._stream:
            self._acknowledge(bundle.heard)
        if bundle.stream < self._heard_stream:
            return ()
        if bundle.stream > self._heard_stream:
            self._heard_stream, self._heard = bundle.stream, 0
        bodies = []
        for letter in bundle.letters:
            if letter.number == self._heard + 1:
                self._heard += 1
                bodies.append(letter.body)
        self._owes = self._owes or bool(bundle.letters)
        return (*bodies, *bundle.loose)

    def _overdue(self, now_ms: int) -> list[Letter]:
        if self._since_ms is None or now_ms - self._since_ms < RESEND_MS:
            return []
        self._since_ms = now_ms
        return list(self._flying)

    def _fresh(self) -> list[Letter]:
        fresh = []
        while self._waiting and len(self._flying) < WINDOW:
            matter = next(iter(self._waiting))
            letter = Letter(self._next, self._waiting.pop(matter))
            self._next += 1
            self._flying.append(letter)
            fresh.append(letter)
        return fresh

    def _acknowledge(self, heard: int) -> None:
        while self._flying and self._flying[0].number <= heard:
            self._flying.popleft()
            self._since_ms = None
