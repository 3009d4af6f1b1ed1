# SPDX-License-Identifier: Apache-2.0
"""Seats that somebody has a secret of and this node cannot find: another node may still bring them back. Pure.

A Redis that came back without a room gets it again from a node that has it in memory, as soon as that node notices.
"""

from __future__ import annotations

from typing import Final

from server.ids import ParticipantId, RoomId

FORGET_MS: Final = 60_000
FEW: Final = 64


class Missed:
    """Since when people have asked for a seat that is not there. `patience_ms` 0: nobody could bring it back."""

    def __init__(self, patience_ms: int) -> None:
        self._patience_ms = patience_ms
        self._since: dict[tuple[RoomId, ParticipantId], int] = {}
        self._most = FEW

    @property
    def patient(self) -> bool:
        """Whether what this node does not know may be known to another one."""
        return self._patience_ms > 0

    def may_return(self, room: RoomId, participant: ParticipantId, now_ms: int) -> bool:
        """Whether it is too early to give this seat up; the first question begins the wait."""
        since = self._since.get((room, participant))
        if since is None or now_ms - since >= FORGET_MS:
            self._make_room(now_ms)
            since = self._since[room, participant] = now_ms
        return now_ms - since < self._patience_ms

    def found(self, room: RoomId, participant: ParticipantId) -> None:
        """The seat is there."""
        self._since.pop((room, participant), None)

    def _make_room(self, now_ms: int) -> None:
        """Forget what is long ago, not more often than the number of people doubles: thousands may come at once."""
        if len(self._since) >= self._most:
            self._since = {who: since for who, since in self._since.items() if now_ms - since < FORGET_MS}
            self._most = max(FEW, 2 * len(self._since))
