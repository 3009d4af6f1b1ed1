# SPDX-License-Identifier: Apache-2.0
"""Who is in which receive slot of a subscriber: sticky, so that a tile never changes its person without need."""

from __future__ import annotations

from collections.abc import Container, Sequence

from server.ids import ParticipantId
from server.media.channel import Slot
from server.rooms.routes import RouteGroup


def wanted_sources(
    group: RouteGroup, subscriber: ParticipantId, publishing: Container[ParticipantId]
) -> tuple[ParticipantId, ...]:
    """Whom the subscriber should get, most important first: voices before those who are only seen."""
    return tuple(
        participant
        for participant in dict.fromkeys(group.audio + group.video)
        if participant != subscriber and participant in publishing
    )


def assign(before: Sequence[ParticipantId | None], wanted: Sequence[ParticipantId]) -> tuple[ParticipantId | None, ...]:
    """The slots after a change: as many as `before`; who stays keeps the slot, newcomers take the lowest free one."""
    chosen = wanted[: len(before)]
    after = [source if source in chosen else None for source in before]
    newcomers = iter([source for source in chosen if source not in after])
    return tuple(source if source is not None else next(newcomers, None) for source in after)


def describe(sources: Sequence[ParticipantId | None], group: RouteGroup | None) -> tuple[Slot, ...]:
    """The slots that are not empty, with what of each person the room lets through."""
    if group is None:
        return ()
    return tuple(
        Slot(index=index, source=source, audio=source in group.audio, video=source in group.video)
        for index, source in enumerate(sources)
        if source is not None
    )
