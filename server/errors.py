# SPDX-License-Identifier: Apache-2.0
"""Numbered refusals. A number never changes its meaning and is also the label in metrics.

    HoldspaceError
    +-- CommandRejected    a command is refused; nothing has changed
    +-- JoinRefused        a connection is refused before it has a seat

Ranges decide what a client does:

- 1000-1999: a command is refused; the connection goes on.
- 3000-3499: disconnected or refused, come back after a moment.
- 3500-3999: disconnected or refused for good: do not come back by yourself.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class RejectCode(IntEnum):
    """Why a command is refused."""

    BAD_MESSAGE = 1000
    """Not a command of this protocol: unknown type, wrong type of a field, unknown field, too long."""
    TOO_LARGE = 1001
    RATE_LIMITED = 1002
    BUSY = 1003
    """The room's mailbox is full or its log did not answer in time; the command may be sent again with the same id."""
    NOT_ALLOWED = 1010
    """The role does not have this right, or not in this place."""
    NOT_NOW = 1011
    """Not in this phase or state of the session."""
    NOT_HERE = 1012
    """There is no such participant, breakout, phase or request in this room."""
    NOT_ADMITTED = 1013
    STALE_VERSION = 1014
    """Somebody else changed the agenda or the plan first; look at the new one and decide again."""
    ROOM_FULL = 1015
    ROOM_LOCKED = 1016
    AGREEMENT_REQUIRED = 1017
    HARD_MUTED = 1018
    NOT_YOUR_TURN = 1019
    NAME_INVALID = 1020
    NOTHING_TO_UNDO = 1021
    PLAN_INFEASIBLE = 1022
    PERSON_ALONE = 1023
    LIMIT_REACHED = 1024
    """A bounded list (breakouts, phases, pending moves) is full."""
    BAD_OFFER = 1030
    """The SDP offer is malformed or asks for what this server does not do."""
    NO_MEDIA = 1031
    """No media worker can take this peer right now."""


class DisconnectCode(IntEnum):
    """Why a connection is refused or ended."""

    SERVER_RESTARTING = 3000
    SLOW_CLIENT = 3001
    """The client did not read; its outbox overflowed."""
    RATE_LIMITED = 3002
    SERVER_BUSY = 3003
    CONNECTION_LOST = 3004
    INTERNAL = 3005
    TOKEN_INVALID = 3500
    TOKEN_EXPIRED = 3501
    TOKEN_FOREIGN = 3502
    """Signed by nobody we know, or made for another service."""
    PROTOCOL_UNSUPPORTED = 3503
    BAD_MESSAGE = 3504
    """Not Socket.IO MessagePack, or a first message without what it needs."""
    SUPERSEDED = 3510
    """The same person opened the room in another tab."""
    REMOVED = 3511
    DENIED = 3512
    """Not admitted from the lobby."""
    SESSION_OVER = 3513
    LEFT = 3514
    ROOM_FULL = 3515
    ROOM_LOCKED = 3516
    AGREEMENT_REQUIRED = 3517
    NAME_INVALID = 3518
    RESUME_INVALID = 3519
    TICKET_USED = 3520


FIRST_FINAL_DISCONNECT: Final = 3500

REJECT_MESSAGES: Final[dict[RejectCode, str]] = {
    RejectCode.BAD_MESSAGE: "The app sent something the server does not understand.",
    RejectCode.TOO_LARGE: "That message is too long.",
    RejectCode.RATE_LIMITED: "That was a lot at once. Please wait a moment and try again.",
    RejectCode.BUSY: "The room is busy. Please try again.",
    RejectCode.NOT_ALLOWED: "Your role in this group does not include that.",
    RejectCode.NOT_NOW: "That is not possible at this point of the session.",
    RejectCode.NOT_HERE: "That person, room or item is not there any more.",
    RejectCode.NOT_ADMITTED: "You are still in the lobby.",
    RejectCode.STALE_VERSION: "Somebody else changed this a moment ago. Please look again.",
    RejectCode.ROOM_FULL: "The room is full.",
    RejectCode.ROOM_LOCKED: "The room is locked.",
    RejectCode.AGREEMENT_REQUIRED: "Please accept the group agreement first.",
    RejectCode.HARD_MUTED: "A moderator has muted your microphone for now.",
    RejectCode.NOT_YOUR_TURN: "It is somebody else's turn.",
    RejectCode.NAME_INVALID: "Please choose a name of 1 to 40 characters.",
    RejectCode.NOTHING_TO_UNDO: "There is no change to undo.",
    RejectCode.PLAN_INFEASIBLE: "This plan does not fit the people who are here.",
    RejectCode.PERSON_ALONE: "This would leave somebody alone in a room.",
    RejectCode.LIMIT_REACHED: "There cannot be more of these.",
    RejectCode.BAD_OFFER: "The app could not set up sound and video.",
    RejectCode.NO_MEDIA: "Sound and video are not available right now.",
}

DISCONNECT_MESSAGES: Final[dict[DisconnectCode, str]] = {
    DisconnectCode.SERVER_RESTARTING: "The server is restarting. You will be back in a moment.",
    DisconnectCode.SLOW_CLIENT: "Your connection could not keep up. You will be back in a moment.",
    DisconnectCode.RATE_LIMITED: "Too many messages were sent. You will be back in a moment.",
    DisconnectCode.SERVER_BUSY: "The server is busy. You will be back in a moment.",
    DisconnectCode.CONNECTION_LOST: "The connection was lost. You will be back in a moment.",
    DisconnectCode.INTERNAL: "Something went wrong on our side. You will be back in a moment.",
    DisconnectCode.TOKEN_INVALID: "This link does not work. Please ask for a new one.",
    DisconnectCode.TOKEN_EXPIRED: "This link has expired. Please ask for a new one.",
    DisconnectCode.TOKEN_FOREIGN: "This link belongs to another service.",
    DisconnectCode.PROTOCOL_UNSUPPORTED: "This app is too old or too new for the server. Please reload the page.",
    DisconnectCode.BAD_MESSAGE: "The app sent something the server does not understand.",
    DisconnectCode.SUPERSEDED: "You opened this session in another tab. This one has stopped.",
    DisconnectCode.REMOVED: "A moderator has ended your part in this session.",
    DisconnectCode.DENIED: "You were not admitted to this session.",
    DisconnectCode.SESSION_OVER: "This session is over.",
    DisconnectCode.LEFT: "You have left the session.",
    DisconnectCode.ROOM_FULL: "This session is full.",
    DisconnectCode.ROOM_LOCKED: "This session is locked. Please ask a moderator.",
    DisconnectCode.AGREEMENT_REQUIRED: "Please accept the group agreement first.",
    DisconnectCode.NAME_INVALID: "Please choose a name of 1 to 40 characters.",
    DisconnectCode.RESUME_INVALID: "Your place could not be found again. Please join anew.",
    DisconnectCode.TICKET_USED: "This link was used already. Please ask for a new one.",
}


class HoldspaceError(Exception):
    """Root of all refusals this server makes."""


class CommandRejected(HoldspaceError):
    """A command is refused with a numbered reason, and nothing has changed.

    `detail` tells the author of a client what to correct. It may quote the sender, so only the sender gets it.
    """

    def __init__(self, code: RejectCode, *, retry_after_ms: int | None = None, detail: str = "") -> None:
        super().__init__(code.name.lower())
        self.code = code
        self.retry_after_ms = retry_after_ms
        self.detail = detail


class JoinRefused(HoldspaceError):
    """A connection is refused, or its seat refused by the room.

    `detail` tells the author of a client, or of what signs tokens, what to correct; only who was refused gets it.
    """

    def __init__(self, code: DisconnectCode, detail: str = "") -> None:
        super().__init__(code.name.lower())
        self.code = code
        self.detail = detail


def is_final(code: DisconnectCode) -> bool:
    """Whether a client must not come back by itself."""
    return code >= FIRST_FINAL_DISCONNECT
