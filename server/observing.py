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
        """It is the command that the log knows by this key, until it ends."""

    def about(self, kind: str) -> None:
        """What it turned out to be; one of a few names."""

    def reached(self, point: str) -> None:
        """So far it has come; one of a few names."""

    def carried(self) -> dict[str, str]:
        """Headers by which whoever is called goes on with the trace (W3C Trace Context)."""

    def end(self, outcome: str) -> None:
        """It is over; called once. `outcome`: one of a few names, as for `Meter`."""


class Tracer(Protocol):
    """Keeps what belonged to what, and how long each took. Called synchronously; costs little and raises nothing.

    Nothing that people wrote or are known by is given to it.
    """

    def begin(self, name: str, request: str, parent: Span | None = None) -> Span:
        """Something begins, for the request of this id."""

    def append(self, keys: Sequence[str]) -> Span | None:
        """Entries of these keys go to the log; None: none of them is of a command that is traced."""

    def carried(self, keys: Sequence[str]) -> dict[str, str]:
        """By which other nodes go on with the traces of these commands, those of them that are traced."""

    def delivered(self, keys: Sequence[str], traces: Sequence[str]) -> None:
        """Everybody on this node was told of these commands; `traces`: as another node carried them, or empty."""
