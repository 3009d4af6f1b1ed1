# SPDX-License-Identifier: Apache-2.0
"""How keys are called: the same in every release, since old and new nodes work side by side on one Redis."""

from __future__ import annotations

from collections import Counter

from redis.crc import key_slot

from server.cluster.keys import PARTITIONS, SLOTS, Keys, tags
from server.ids import RoomId

ROOM = RoomId("tue-2026-12-01")


def test_partitions_divide_the_slots_evenly() -> None:
    """One tag in each of 1,024 equal ranges, so that primaries with equal ranges have as many rooms each."""
    assert len(set(tags())) == PARTITIONS == 1024
    assert [key_slot(tag.encode()) // (SLOTS // PARTITIONS) for tag in tags()] == list(range(PARTITIONS))


def test_rooms_spread_over_partitions() -> None:
    """No partition has many more of ten thousand than the ten that each should have."""
    keys = Keys()
    counts = Counter(keys.partition(RoomId(f"room-{number}")) for number in range(10_000))
    assert max(counts.values()) < 30


def test_a_room_is_in_one_slot_and_its_name_in_no_key() -> None:
    """Scripts may take all of its keys at once; a name may tell a topic."""
    keys = Keys().of(ROOM).all()
    assert len({key_slot(key.encode()) for key in keys}) == 1
    assert not any(ROOM in key for key in keys)


def test_the_keys_are_those_of_every_release() -> None:
    """Another name would be another room."""
    assert Keys().of(ROOM).all() == (
        "hs:{p1381}:room:UvNxtZVXIBEbN5_vBEAhKA",
        "hs:{p1381}:entries:UvNxtZVXIBEbN5_vBEAhKA",
        "hs:{p1381}:commands:UvNxtZVXIBEbN5_vBEAhKA",
        "hs:{p1381}:due",
        "hs:{p1381}:tombstone:UvNxtZVXIBEbN5_vBEAhKA",
        "hs:{p1381}:hints:UvNxtZVXIBEbN5_vBEAhKA",
        "hs:{p1381}:news",
        "hs:{p1381}:rooms",
    )
