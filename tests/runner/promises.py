# SPDX-License-Identifier: Apache-2.0
"""What must hold in every state of the model, whatever nodes and network do."""

from __future__ import annotations

from collections.abc import Sequence

from server.ports import Epoch, Seq
from server.runner.pipeline import Pipeline
from server.runner.steps import Acknowledged, Committed, Faulted, Output, Refused, Reset, Unanswered
from tests.runner.model_log import Life
from tests.runner.toys import effects

Place = tuple[Epoch, Seq]
"""What listeners of a node have seen last."""


class Violation(Exception):
    """A promise is broken."""


def life_of(lives: tuple[Life, ...], epoch: Epoch) -> Life:
    """The log of this epoch."""
    return next(life for life in lives if life.epoch == epoch)


def check_place(life: Life, shown: Place, output: Output) -> Place:
    """A node shows the entries of the log, one after another, each once; a reset goes forward."""
    match output:
        case Committed(_, _, epoch, seq, entry):
            if (epoch, seq) != (shown[0], shown[1] + 1) or life.entries[seq - 1 : seq] != (entry,):
                raise Violation(f"commit {epoch}-{seq} after {shown}")
            return epoch, seq
        case Reset(_, epoch, seq):
            if (epoch, seq) <= shown:
                raise Violation("a reset goes back")
            return epoch, seq
        case _:
            return shown


def check_state(life: Life, shown: Place, pipeline: Pipeline) -> None:
    """The state of a node is what the log says at this position."""
    if shown != (pipeline.epoch, pipeline.seq) or life.states[pipeline.seq : pipeline.seq + 1] != (pipeline.state,):
        raise Violation("the state of a node is not a prefix of its log")


def check_effects(life: Life) -> None:
    """Each command has one effect at most, and `x` and `y` exclude each other."""
    done = effects(life.states[-1])
    if len(set(done)) < len(done) or {"x", "y"} <= set(done):
        raise Violation(f"effects {done}")


def check_refusals(life: Life, keys: Sequence[str], verdicts: Sequence[str]) -> None:
    """What is in the log was sent at least once by somebody who was not refused."""
    if "refused" in verdicts:
        for entry in life.entries:
            copies = {verdict for key, verdict in zip(keys, verdicts, strict=True) if key == entry.command}
            if copies == {"refused"}:
                raise Violation("refused, and yet it had an effect")


def check_verdict(
    life: Life, keys: Sequence[str], known: frozenset[int], shown: Place, output: Output, verdicts: list[str]
) -> None:
    """Each command gets one verdict, and it is true; `known`: the log held the command when it came."""
    match output:
        case Acknowledged(ticket, seq):
            if life.where(keys[ticket]) != seq or (seq > shown[1] and not life.began_with(keys[ticket])):
                raise Violation("acknowledged what is not committed")
            verdict = "acknowledged"
        case Refused(ticket):
            if ticket in known:
                raise Violation("refused what was committed before it came")
            verdict = "refused"
        case Unanswered(ticket):
            verdict = "open"
        case Faulted(error):
            raise error
        case _:
            return
    if verdicts[ticket]:
        raise Violation("answered twice")
    verdicts[ticket] = verdict
