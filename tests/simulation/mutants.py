# SPDX-License-Identifier: Apache-2.0
"""Does the simulation find what is wrong? Safeguards taken out one at a time, and how many seeds that takes.

`python -m tests.simulation.mutants [NAME...]` tries these, or all.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final
from unittest import mock

from msgspec import structs

from server.cluster import scripts
from server.cluster.canary import Canary
from server.cluster.positions import Positions
from server.rooms import timeouts
from server.runner import runner
from server.runner.core import ROOM_RULES
from server.signaling import outbox
from tests.runner import mutants as pipelines
from tests.simulation import node
from tests.simulation.disasters import names_of
from tests.simulation.simulation import Outcome, simulate

MOST: Final = 200
Change = tuple[object, str, Any]


def edited(script: scripts.Script, old: str, new: str) -> tuple[Change, Change]:
    """Another source, which thereby has another name in Redis."""
    if script.source.count(old) != 1:
        raise ValueError(f"the script does not have {old!r} once")
    source = script.source.replace(old, new)
    sha = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
    return (script, "source", source), (script, "sha", sha)


def no_position() -> tuple[Change, ...]:
    """Appends wherever the log stands, whatever the writer knows."""
    return edited(scripts.APPEND, "if seq ~= expected then", "if false then")


def no_command_id() -> tuple[Change, ...]:
    """Neither the room nor the log knows a command again."""
    forgetful = structs.replace(ROOM_RULES, recall=lambda _state, _key: None)
    return (*edited(scripts.APPEND, "    if known[i] then", "    if false then"), (node, "ROOM_RULES", forgetful))


def no_epoch() -> tuple[Change, ...]:
    """Another life of a room goes under the epoch of the one before."""
    return edited(scripts.RESTORE, "math.max(old + 1, now)", "old")


def no_grace() -> tuple[Change, ...]:
    """A seat is gone soon after its connection."""
    return ((timeouts, "SEAT_GRACE_MS", 50),)


def no_canary() -> tuple[Change, ...]:
    """A deaf connection is never noticed; nor does anybody look where the logs stand, which would make up for it."""
    return (Canary, "silent", lambda _canary: False), *no_look()


def no_look() -> tuple[Change, ...]:
    """Nobody looks where the logs stand."""
    return ((Positions, "strays", lambda *_: False),)


def no_cap() -> tuple[Change, ...]:
    """Whoever does not read is written to for ever."""
    return (outbox, "MAX_OUTBOX_BYTES", 1 << 40), (outbox, "MAX_OUTBOX_AGE_S", 1e9)


def news_beside() -> tuple[Change, ...]:
    """News is written by the script whether or not the entries are."""
    write = "for i = NEW, FIRST - 1 do\n  redis.call('XADD', NEWS, '*', ARGV[10], ARGV[i])\nend\n"
    known = "if seq ~= expected then\n"
    return edited(scripts.APPEND, known, known + write)


def no_gap() -> tuple[Change, ...]:
    """Every entry of this epoch is taken for the next one."""
    return ((runner, "Pipeline", pipelines.NoPosition),)


WIPED: Final = ("redis_emptied", "redis_failed_over", "room_deleted")
MUTANTS: Final[dict[Callable[[], tuple[Change, ...]], tuple[str, ...]]] = {
    no_position: (),
    no_command_id: (),
    no_epoch: WIPED,
    no_grace: (),
    no_canary: ("subscribers_deaf",),
    no_cap: ("person_reads_nothing",),
    no_look: ("hints_lost", "subscribers_deaf"),
    no_gap: (),
    news_beside: (),
}
"""What is taken out, and which disasters it takes to be noticed; none: any."""
BY_NAME: Final = {made.__name__: made for made in MUTANTS}


@contextmanager
def planted(name: str) -> Iterator[None]:
    """Let the code under test have this fault."""
    with ExitStack() as stack:
        for where, what, new in BY_NAME[name]():
            stack.enter_context(mock.patch.object(where, what, new))
        yield


def hunt(name: str, most: int = MOST) -> tuple[int, Outcome | None]:
    """How many seeds it takes, and what the last of them found. Seeds without such a disaster are only counted."""
    needed = MUTANTS[BY_NAME[name]]
    with planted(name):
        for seed in range(most):
            if not needed or not set(needed).isdisjoint(names_of(seed)):
                outcome = simulate(seed)
                if outcome.violations:
                    return seed + 1, outcome
    return most, None


def main(names: list[str]) -> int:
    """Exit status 1 if one survives."""
    killed = 0
    for name in names:
        seeds, outcome = hunt(name)
        killed += outcome is not None
        told = "SURVIVED" if outcome is None else f"killed: {outcome.violations[0]}"
        print(f"{name}: {seeds} seeds, {told}", flush=True)
    print(f"mutants killed: {killed} of {len(names)}")
    return 0 if killed == len(names) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or list(BY_NAME)))
