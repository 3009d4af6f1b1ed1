# SPDX-License-Identifier: Apache-2.0
"""How keys in Redis are called. All keys of a room are in one slot, and no name of a room stands in a key."""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from itertools import count
from typing import Final

from msgspec import Struct
from redis.crc import key_slot

from server.ids import RoomId

PARTITIONS: Final = 1024
SLOTS: Final = 16384
_SLOTS_EACH: Final = SLOTS // PARTITIONS
_HASH_BYTES: Final = 16


@lru_cache(maxsize=1)
def tags() -> tuple[str, ...]:
    """The hash tag of each partition: tag i is in the i-th of 1,024 equal ranges of slots, so they spread evenly."""
    found: dict[int, str] = {}
    for number in count():
        tag = f"p{number}"
        found.setdefault(key_slot(tag.encode()) // _SLOTS_EACH, f"{{{tag}}}")
        if len(found) == PARTITIONS:
            return tuple(found[i] for i in range(PARTITIONS))
    raise AssertionError("numbers end")


class RoomKeys(Struct, frozen=True):
    """The keys of one room."""

    room: str
    entries: str
    commands: str
    due: str
    tombstone: str
    hints: str
    news: str
    rooms: str

    def all(self) -> tuple[str, ...]:
        """In the order in which the scripts take them."""
        return (self.room, self.entries, self.commands, self.due, self.tombstone, self.hints, self.news, self.rooms)


class Keys:
    """Names under one prefix, so that several systems can share a Redis."""

    def __init__(self, prefix: str = "hs") -> None:
        self.prefix: Final = prefix

    def room_hash(self, room: RoomId) -> str:
        """22 characters that stand for the room: a name may tell a topic."""
        digest = hashlib.sha256(room.encode()).digest()[:_HASH_BYTES]
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def partition(self, room: RoomId) -> int:
        """Which of the `PARTITIONS` a room belongs to."""
        return int.from_bytes(hashlib.sha256(room.encode()).digest()[-2:]) % PARTITIONS

    def tag(self, room: RoomId) -> str:
        """The hash tag of a room's partition, in braces."""
        return tags()[self.partition(room)]

    def key(self, room: RoomId, kind: str) -> str:
        """A key of this room."""
        return f"{self.prefix}:{self.tag(room)}:{kind}:{self.room_hash(room)}"

    def due(self, partition: int) -> str:
        """The rooms of a partition with a time-out to come."""
        return f"{self.prefix}:{tags()[partition]}:due"

    def news(self, partition: int) -> str:
        """What care platforms shall be told of the rooms of a partition."""
        return f"{self.prefix}:{tags()[partition]}:news"

    def rooms(self, partition: int) -> str:
        """All rooms of a partition."""
        return f"{self.prefix}:{tags()[partition]}:rooms"

    def of(self, room: RoomId) -> RoomKeys:
        """All keys of the log of this room."""
        kinds = ("room", "entries", "commands", "tombstone", "hints")
        room_key, entries, commands, tombstone, hints = (self.key(room, kind) for kind in kinds)
        place = self.partition(room)
        shared = self.news(place), self.rooms(place)
        return RoomKeys(room_key, entries, commands, self.due(place), tombstone, hints, *shared)
