# SPDX-License-Identifier: Apache-2.0
"""What a forwarder reads of a video payload: whether a picture can begin here, and its continuity fields."""

from __future__ import annotations

from struct import Struct as Layout
from typing import Final

LONG_ID: Final = 0x7FFF
SHORT_ID: Final = 0x7F
"""Picture ids wrap after these, by the form they are written in (RFC 7741 section 4.2)."""

_U16: Final = Layout("!H")


class Picture:
    """One payload of VP8, VP9 or H.264. Offsets count from the start of the payload and are 0 where a field is absent.

    `keyframe`: decoding can begin with this packet. `height` is in pixels, 0 when this packet does not tell.
    `head` is the payload up to the end of the last continuity field: all that differs between subscribers.
    """

    __slots__ = ("head", "height", "keyframe", "long_picture_id", "picture_id", "picture_id_at", "tl0", "tl0_at")

    def __init__(self) -> None:
        self.keyframe = self.long_picture_id = False
        self.height = self.picture_id = self.picture_id_at = self.tl0 = self.tl0_at = 0
        self.head = b""

    def with_ids(self, picture_id: int, tl0: int) -> bytes:
        """The head with other continuity fields, in the widths it had."""
        changed = bytearray(self.head)
        self.write_ids(changed, 0, picture_id, tl0)
        return bytes(changed)

    def write_ids(self, memory: bytearray, at: int, picture_id: int, tl0: int) -> None:
        """The same into a payload that lies there."""
        if self.picture_id_at:
            if self.long_picture_id:
                _U16.pack_into(memory, at + self.picture_id_at, 0x8000 | picture_id & LONG_ID)
            else:
                memory[at + self.picture_id_at] = picture_id & SHORT_ID
        if self.tl0_at:
            memory[at + self.tl0_at] = tl0 & 0xFF


NO_PICTURE: Final = Picture()
"""Of a payload that is empty or makes no sense: it moves the sequence on, and starts nothing."""
