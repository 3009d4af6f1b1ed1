# SPDX-License-Identifier: Apache-2.0
"""Opaque identifiers. Each is a distinct type, so that one never stands for another."""

from __future__ import annotations

from typing import Final, NewType

RoomId = NewType("RoomId", str)
"""One room family: the main room of a session and all its breakouts."""

ParticipantId = NewType("ParticipantId", str)
"""A person in a room; opaque, taken from the token's `sub`."""

NodeId = NewType("NodeId", str)
"""One run of a server; a server that starts again, or was given up meanwhile, has another."""

ConnectionId = NewType("ConnectionId", str)
"""One Socket.IO connection of a participant; begins with its node, see `connection_at`."""

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


def connection_at(node: NodeId, name: str) -> ConnectionId:
    """The id of a connection that a node calls by this name."""
    return ConnectionId(f"{node}.{name}")


def node_of(connection: ConnectionId) -> NodeId:
    """The node that a connection was made at."""
    return NodeId(connection.partition(".")[0])
