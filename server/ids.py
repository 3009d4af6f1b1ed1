# SPDX-License-Identifier: Apache-2.0
"""Opaque identifiers. Each is a distinct type, so that one never stands for another."""

from __future__ import annotations

from typing import Final, NewType

RoomId = NewType("RoomId", str)
"""One room family: the main room of a session and all its breakouts."""

ParticipantId = NewType("ParticipantId", str)
"""A person in a room; opaque, taken from the token's `sub`."""

ConnectionId = NewType("ConnectionId", str)
"""One Socket.IO connection of a participant."""

PeerId = NewType("PeerId", str)
"""One RTCPeerConnection of a participant."""

CommandId = NewType("CommandId", str)
"""Chosen by the sender of a command; a retry carries the same one."""

PhaseId = NewType("PhaseId", str)
"""One item of the agenda."""

BreakoutId = NewType("BreakoutId", str)
"""An open breakout; as a `Placement` it is the same string."""

Placement = NewType("Placement", str)
"""Where a participant is: `LOBBY`, `MAIN`, or the id of a breakout ("b1", "b2", ...)."""

LOBBY: Final = Placement("lobby")
MAIN: Final = Placement("main")
EVERYWHERE: Final = Placement("everywhere")
"""Not a place to be: the scope of a message sent to all rooms at once."""
