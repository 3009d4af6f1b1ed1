# SPDX-License-Identifier: Apache-2.0
"""What a sender did and heard on one link: written down once by `record.py`, and told to an estimator again in tests.

A text file: comments (#), `r US BPS` for what the link bore from a time on, `w BPS` for what the pictures in demand
take, then events with microseconds since the event before. `m DT BYTES` a packet of media, `p DT BYTES` one of padding,
`f DT HEX` feedback, `t DT` a tick, `q DT` a look whether padding is due.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from server.media.congestion.estimator import Estimator
from server.media.congestion.history import SendHistory

FOLDER: Final = Path(__file__).with_name("traces")
US: Final = 1_000
FIRST: Final = 1
START_NS: Final = 1_000_000_000
"""Of the clock; before that is nothing."""


class Event(NamedTuple):
    """`at_us` since the beginning; `size` of a packet, `message` of feedback."""

    kind: str
    at_us: int
    size: int = 0
    message: bytes = b""


class Trace(NamedTuple):
    """`rates`: what the link bore from a time (in us) on, in bits per second."""

    rates: tuple[tuple[int, int], ...]
    wanted_bps: int
    events: tuple[Event, ...]

    def bore_bps(self, at_us: int) -> int:
        """The rate of the link, or what was wanted if that is less."""
        rate = next(rate for since_us, rate in reversed(self.rates) if since_us <= at_us)
        return min(rate, self.wanted_bps) if rate else self.wanted_bps


class Target(NamedTuple):
    """What an estimator said at a tick, and what would have been right."""

    at_s: float
    target_bps: float
    bore_bps: int

    @property
    def share(self) -> float:
        """1 is right, more is too much."""
        return self.target_bps / self.bore_bps


def read(name: str) -> Trace:
    """A trace that is kept here."""
    rates: list[tuple[int, int]] = []
    events: list[Event] = []
    wanted = at_us = 0
    for text in (FOLDER / f"{name}.txt").read_text().splitlines():
        kind, *rest = text.split()
        if kind == "r":
            rates.append((int(rest[0]), int(rest[1])))
        elif kind == "w":
            wanted = int(rest[0])
        elif kind in "mpftq":
            at_us += int(rest[0])
            size = int(rest[1]) if kind in "mp" else 0
            events.append(Event(kind, at_us, size, bytes.fromhex(rest[1]) if kind == "f" else b""))
    return Trace(tuple(rates), wanted, tuple(events))


def replay(trace: Trace, estimator: Estimator, history: SendHistory) -> Iterator[Target]:
    """Tell an estimator everything in its order; what it says at each tick."""
    for event in trace.events:
        now_ns = START_NS + event.at_us * US
        match event.kind:
            case "m" | "p":
                history.sent(history.next(), event.size, now_ns)
                if event.kind == "p":
                    estimator.prober.spent(event.size)
            case "f":
                estimator.feedback(event.message, now_ns)
            case "q":
                estimator.padding(now_ns)
            case _:
                estimator.want(trace.wanted_bps)
                estimator.tick(now_ns)
                yield Target(event.at_us / 1e6, estimator.target_bps, trace.bore_bps(event.at_us))
