# SPDX-License-Identifier: Apache-2.0
"""What every run has in common."""

from __future__ import annotations

from typing import Final

from server.ids import RoomId

ROOMS: Final = (RoomId("circle"), RoomId("corner"))
QUIET: Final = 4
"""Of the larger room this one only listens."""
