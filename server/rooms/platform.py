# SPDX-License-Identifier: Apache-2.0
"""What the care platform asks of a room."""

from __future__ import annotations

from msgspec import Struct

from server.rooms.phases import EndReason


class CloseSession(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="close_session"):
    """End the session. With `debrief` staff stay, if a moderator of a live session is here.

    Without one nobody could end the debrief.
    """

    reason: EndReason = EndReason.OVER
    debrief: bool = False
