# SPDX-License-Identifier: Apache-2.0
"""Ports for those who watch: what is counted as it happens, and what is timed on its whole way through a node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Meter(Protocol):
    """What is counted as it happens. Called synchronously; costs next to nothing and raises nothing."""

    def joined(self, outcome: str, seconds: float) -> None:
        """Somebody has a seat after so long, or was refused; `outcome`: seated, resumed, or the reason."""

    def answered(self, command: str, outcome: str, seconds: float) -> None:
        """A command of this kind was answered after so long; `outcome`: ok, or the reason."""

    def media(self, outcome: str, seconds: float) -> None:
        """What came of an offer of media after so long; `outcome`: connected, gone, or the reason."""

    def disconnected(self, reason: str) -> None:
        """The server has ended a connection."""

    def delivered(self, seconds: float) -> None:
        """Everybody on this node has been told of what was decided so long before, here or on another one."""

    def played(self, freezes: int, frozen_ms: int, concealed_ms: int, played_ms: int) -> None:
        """A page tells of its playback since it told last; as `Playback`."""


class Span(Protocol):
    """Something under way whose time is taken."""

    def owns(self, key: str) -> None:
        """It is about the command that has this key in the log."""

    def about(self, kind: str) -> None:
        """Say what kind of thing it is, once that is known; one of a few names."""

    def reached(self, point: str) -> None:
        """Mark a point on its way; one of a few names."""

    def carried(self) -> dict[str, str]:
        """Headers with which whoever is called continues the trace (W3C Trace Context)."""

    def end(self, outcome: str) -> None:
        """It is over; called once. `outcome`: one of a few names, as for `Meter`."""


class Tracer(Protocol):
    """Keeps what belonged to what, and how long each took. Called synchronously; costs little and raises nothing.

    Nothing that people wrote or are known by is given to it.
    """

    def begin(self, name: str, request: str, parent: Span | None = None) -> Span:
        """Begin a span of this name, for the request of this id; under `parent`, if there is one."""

    def append(self, keys: Sequence[str]) -> Span | None:
        """Begin a span for an append of entries with these keys; None if no command among them is traced."""

    def carried(self, keys: Sequence[str]) -> dict[str, str]:
        """With what other nodes continue the traces of these commands, by key; of those that are traced."""

    def delivered(self, keys: Sequence[str], traces: Sequence[str]) -> None:
        """Everybody on this node was told of these commands; `traces`: of each what another node carried, or empty."""
