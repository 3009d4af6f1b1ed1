# SPDX-License-Identifier: Apache-2.0
"""The answer to one command, said as soon as it is known."""

from __future__ import annotations

import time
from functools import cache

import structlog
from msgspec import Struct

from server.errors import DISCONNECT_MESSAGES, CommandRejected, JoinRefused, RejectCode
from server.observing import Meter, Span
from server.runner.steps import Acknowledged
from server.signaling.codec import acknowledgement_frame
from server.signaling.link import Link
from server.signaling.messages import Acknowledgement, Ok, Reject, reject

log = structlog.get_logger()

UNREADABLE = "unreadable"
"""In place of the kind of what is not one of our commands."""


class Reply:
    """`runner.Answer` for a client: called once, it ends the command that `link` is busy with."""

    __slots__ = ("_begun", "_kind", "_link", "_meter", "_packet", "span")

    def __init__(self, link: Link, packet: int | None, meter: Meter | None, span: Span | None = None) -> None:
        """`packet`: the number that the client waits for, if it does."""
        self.span = span
        self._link = link
        self._packet = packet
        self._meter = meter
        self._kind: type[Struct] | None = None
        self._begun = 0.0 if meter is None else time.perf_counter()

    def about(self, kind: type[Struct]) -> None:
        """What kind of command it turned out to be."""
        self._kind = kind

    def __call__(self, outcome: Acknowledged | Exception) -> None:
        """Answer; what is neither a position nor a refusal is a fault, and ends the connection."""
        link, frame = self._link, None
        try:
            answer = acknowledgement(outcome)
            if self._packet is not None:
                frame = acknowledgement_frame(self._packet, answer)
            self._tell(answer)
        except Exception as error:  # noqa: BLE001 - no refusal, but a fault of the room
            link.fail(error)
            if self.span is not None:
                self.span.end("fault")
        finally:
            link.finish_command(frame)

    def _tell(self, answer: Acknowledgement) -> None:
        """Whoever watches this server."""
        kind = UNREADABLE if self._kind is None else _name_of(self._kind)
        outcome = "ok"
        if isinstance(answer, Reject):
            outcome = answer.code.name.lower()
            log.debug("rejected", request=self._link.request, code=int(answer.code), reason=outcome)
        if self._meter is not None:
            self._meter.answered(kind, outcome, time.perf_counter() - self._begun)
        if self.span is not None:
            self.span.about(kind)
            self.span.end(outcome)


@cache
def _name_of(kind: type[Struct]) -> str:
    return str(kind.__struct_config__.tag)


def acknowledgement(outcome: Acknowledged | Exception) -> Acknowledgement:
    """What is answered; raises what is neither a position nor a refusal."""
    if isinstance(outcome, Acknowledged):
        return Ok(outcome.seq, outcome.safe)
    if isinstance(outcome, CommandRejected):
        return reject(outcome)
    if isinstance(outcome, JoinRefused):  # the room has closed meanwhile; the connection ends with its number
        return Reject(RejectCode.BUSY, outcome.code.name.lower(), DISCONNECT_MESSAGES[outcome.code])
    raise outcome
