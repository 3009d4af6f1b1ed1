# SPDX-License-Identifier: Apache-2.0
"""The Python client of Holdspace: rooms and links for care platforms (`Platform`), people in them (`Session`)."""

from __future__ import annotations

from holdspace_client.connection import NotAcknowledged, swap_for_ticket
from holdspace_client.invitation import Invitation, open_link
from holdspace_client.mirror import EventsMissed, Mirror
from holdspace_client.platform import Platform, PlatformProblem
from holdspace_client.protocol import ids
from holdspace_client.protocol.api import schema as api
from holdspace_client.protocol.errors import DisconnectCode, JoinRefused, RejectCode, is_final
from holdspace_client.protocol.ids import EVERYWHERE, LOBBY, MAIN
from holdspace_client.protocol.rooms import commands, events, phases, state
from holdspace_client.protocol.signaling import messages
from holdspace_client.seat import CommandRefused, ProtocolBroken, Seat, fresh_command_id
from holdspace_client.session import MediaEnded, Session
from holdspace_client.webhook import WebhookRefused, read_webhook

__all__ = [
    "EVERYWHERE",
    "LOBBY",
    "MAIN",
    "CommandRefused",
    "DisconnectCode",
    "EventsMissed",
    "Invitation",
    "JoinRefused",
    "MediaEnded",
    "Mirror",
    "NotAcknowledged",
    "Platform",
    "PlatformProblem",
    "ProtocolBroken",
    "RejectCode",
    "Seat",
    "Session",
    "WebhookRefused",
    "api",
    "commands",
    "events",
    "fresh_command_id",
    "ids",
    "is_final",
    "messages",
    "open_link",
    "phases",
    "read_webhook",
    "state",
    "swap_for_ticket",
]
