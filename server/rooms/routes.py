# SPDX-License-Identifier: Apache-2.0
"""What media should flow: a pure function of the room, to which the media plane reconciles."""

from __future__ import annotations

from msgspec import Struct

from server.ids import ParticipantId, Placement


class RouteGroup(Struct, frozen=True):
    """People who share one placement, and whose media may be forwarded to all the others there.

    `audio` and `video` hold those of `members` whom the room lets be heard and seen right now, most
    important first (whose turn it is, spotlight, staff, then the order of joining): slots are given
    in this order when there are fewer slots than sources.
    """

    placement: Placement
    members: tuple[ParticipantId, ...]
    audio: tuple[ParticipantId, ...]
    video: tuple[ParticipantId, ...]
