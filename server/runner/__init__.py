# SPDX-License-Identifier: Apache-2.0
"""Rooms at work: commands become committed entries of the log, and listeners hear of what was committed.

`pipeline` is the commit pipeline of one room as a state machine, without a clock, a task or I/O: `steps` go in and come
out of it, `batch` and `due` are parts of its state, `core` gives it the rules of rooms. `runner` is the asyncio shell
around it, with `listeners` and a deadline from `within`; `registry` has the rooms that this node has loaded, `settings`
their bounds, `seeds` the chance that their decisions draw from.
"""

from __future__ import annotations

from server.runner.core import ROOM_RULES
from server.runner.listeners import Commit, Listener
from server.runner.registry import Rooms
from server.runner.runner import RoomRunner
from server.runner.settings import Environment, RunnerSettings
from server.runner.steps import Limits, Rules

__all__ = [
    "ROOM_RULES",
    "Commit",
    "Environment",
    "Limits",
    "Listener",
    "RoomRunner",
    "Rooms",
    "Rules",
    "RunnerSettings",
]
