# SPDX-License-Identifier: Apache-2.0
"""Rooms at work: commands become committed entries of the log, and listeners hear of what was committed."""

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
