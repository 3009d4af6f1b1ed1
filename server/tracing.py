# SPDX-License-Identifier: Apache-2.0
"""The port for whoever takes the time of joins and commands, on their whole way through a node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Span(Protocol):
    """Something under way whose time is taken."""

    def owns(self, key: str) -> None:
        """It is the command that the log knows by this key, until it ends."""

    def about(self, kind: str) -> None:
        """What it turned out to be; one of a few names."""

    def reached(self, point: str) -> None:
        """So far it has come; one of a few names."""

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

    def reached(self, keys: Sequence[str], point: str) -> None:
        """The commands of these keys have come so far, those of them that are traced."""
