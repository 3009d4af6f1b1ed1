# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: PLC0415 - what is patched has to be patched before others import it
"""A server with one safeguard taken out: `python -m tests.faults.mutants NAME serve ...`. The server has no switch."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from typing import Final

from msgspec import structs

from server.cluster import scripts


def _edit(script: scripts.Script, old: str, new: str) -> None:
    """Change the source of a script, which thereby has another name in Redis."""
    if script.source.count(old) != 1:
        raise SystemExit(f"the script does not have {old!r} once")
    source = script.source.replace(old, new)
    sha = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
    vars(script).update(source=source, sha=sha)


def no_position() -> None:
    """Appends wherever the log stands, whatever the writer knows."""
    _edit(scripts.APPEND, "if seq ~= expected then", "if false then")


def no_command_id() -> None:
    """Forgets what was done: neither the room nor the log knows a command again."""
    _edit(scripts.APPEND, "    if known[i] then", "    if false then")
    from server.runner import core

    core.ROOM_RULES = structs.replace(core.ROOM_RULES, recall=lambda _state, _key: None)  # type: ignore[misc]


def no_epoch() -> None:
    """Another life of a room goes under the epoch of the one before."""
    _edit(scripts.RESTORE, "math.max(old + 1, now)", "old")


def no_grace() -> None:
    """A seat is gone soon after its connection."""
    from server.rooms import state

    state.SEAT_GRACE_MS = 50  # type: ignore[misc]


def no_canary() -> None:
    """A deaf connection is never noticed."""
    from server.cluster.canary import Canary

    def never(_canary: Canary) -> bool:
        return False

    Canary.silent = never  # type: ignore[assignment, method-assign]


def no_cap() -> None:
    """Whoever does not read is written to for ever."""
    from server.signaling import outbox

    outbox.MAX_OUTBOX_BYTES = outbox.MAX_OUTBOX_AGE_S = 1 << 40  # type: ignore[misc]


MUTANTS: Final[dict[str, tuple[Callable[[], None], str]]] = {
    "no_position": (no_position, "test_nodes.py::test_01_a_node_killed_in_the_middle_of_splits"),
    "no_command_id": (no_command_id, "test_redis.py::test_16_replies_lost_after_append"),
    "no_epoch": (no_epoch, "test_redis.py::test_14_redis_back_empty"),
    "no_grace": (no_grace, "test_clients.py::test_28_away_and_back"),
    "no_canary": (no_canary, "test_redis.py::test_20_a_subscription_goes_deaf"),
    "no_cap": (no_cap, "test_clients.py::test_31_a_client_that_never_reads"),
}
"""What is taken out, and the test that must turn red."""


if __name__ == "__main__":
    name, *sys.argv[1:] = sys.argv[1:]
    MUTANTS[name][0]()
    from server.cli import main

    main()
