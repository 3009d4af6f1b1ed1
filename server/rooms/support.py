# SPDX-License-Identifier: Apache-2.0
"""Reaching each other over rooms: texts to all rooms, calls for a moderator."""

from __future__ import annotations

from typing import assert_never

from server.errors import CommandRejected, RejectCode
from server.ids import EVERYWHERE
from server.rooms.commands import AcknowledgeHelp, Broadcast, CancelHelp, RequestHelp, SupportCommand
from server.rooms.context import Context, Events
from server.rooms.events import ChatSent, HelpAcknowledged, HelpCleared, HelpRequested
from server.rooms.names import NO_TEXT, clean_text
from server.rooms.state import ChatMessage, HelpRequest, Participant, RoomState


def decide_support(state: RoomState, command: SupportCommand, actor: Participant, ctx: Context) -> Events:
    """Dispatch. A person has at most one open call."""
    calls = {request.participant: request for request in state.help}
    match command:
        case Broadcast():
            return _broadcast(state, command, actor, ctx)
        case RequestHelp():
            call = HelpRequest(actor.id, actor.placement, ctx.now_ms)
            return () if actor.id in calls else (HelpRequested(call),)
        case CancelHelp():
            return (HelpCleared(actor.id),) if actor.id in calls else ()
        case AcknowledgeHelp():
            if command.participant not in calls:
                raise CommandRejected(RejectCode.NOT_HERE)
            seen = calls[command.participant].acknowledged_by is not None
            return () if seen else (HelpAcknowledged(command.participant, actor.id),)
        case _:
            assert_never(command)


def _broadcast(state: RoomState, command: Broadcast, actor: Participant, ctx: Context) -> Events:
    text = clean_text(command.text)
    if not text:
        raise CommandRejected(RejectCode.BAD_MESSAGE, detail=NO_TEXT)
    return (ChatSent(ChatMessage(state.next_message, actor.id, actor.name, EVERYWHERE, text, ctx.now_ms)),)
