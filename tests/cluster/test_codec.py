# SPDX-License-Identifier: Apache-2.0
"""What is written in Redis is read back as it was, and nothing else is."""

from __future__ import annotations

import msgspec
import pytest

from server.cluster.codec import (
    FIELD,
    UnknownFormat,
    hint_origin,
    pack_entry,
    pack_hint,
    pack_state,
    unpack_entry,
    unpack_hint,
    unpack_state,
)
from server.ports import Entry, Epoch, Seq
from server.rooms.recent import remember
from tests.cluster.contract import LATER, entry


def test_entries_and_states_come_back() -> None:
    """Every field as it was."""
    assert unpack_entry(FIELD, pack_entry(entry("a:1", 7))) == entry("a:1", 7)
    assert unpack_state(pack_state(LATER)) == LATER


def test_a_trace_costs_and_disturbs_nobody() -> None:
    """It is left out where there is none, and a server of the release before reads the entry without it."""

    class Before(msgspec.Struct):
        command: str
        at_ms: int
        events: tuple[object, ...]

    plain, traced = Entry("ann:1", 5, ()), Entry("ann:1", 5, (), "00-1-2-01")
    assert b"trace" not in pack_entry(plain)
    assert msgspec.msgpack.decode(pack_entry(traced), type=Before) == Before("ann:1", 5, ())
    assert unpack_entry(FIELD, pack_entry(traced)) == traced


def test_every_version_finds_the_last_commands_in_a_snapshot() -> None:
    """Nodes from before `latest` look for a retry in `recent` alone."""
    state = remember(LATER, "ana:1", 7)
    assert state.latest == {"ana:1": 7}
    read = unpack_state(pack_state(state))
    assert read.recent == LATER.recent | {"ana:1": 7}
    assert read.latest == {}


@pytest.mark.parametrize("count", [0, 1, 15, 16, 300])
def test_hints_are_put_together_from_packed_entries(count: int) -> None:
    """Of any number; how each begins tells whose it is."""
    entries = tuple(entry(f"a:{i}") for i in range(count))
    packed = pack_hint(b"origin", Epoch(1_700_000_000_000), Seq(9), [pack_entry(one) for one in entries])
    hinted = unpack_hint(packed)
    assert (hinted.epoch, hinted.first, hinted.entries) == (1_700_000_000_000, 9, entries)
    assert packed.startswith(hint_origin(b"origin"))
    assert not packed.startswith(hint_origin(b"others"))


@pytest.mark.parametrize("junk", [b"", b"\xc1", b"\x80", msgspec.msgpack.encode([2, None])])
def test_what_is_not_ours_is_refused(junk: bytes) -> None:
    """Other bytes, and the format of a newer version."""
    with pytest.raises(UnknownFormat):
        unpack_entry(FIELD, junk)
    with pytest.raises(UnknownFormat):
        unpack_entry(b"2", pack_entry(entry("a:1")))
    with pytest.raises(UnknownFormat):
        unpack_state(junk)
    with pytest.raises(UnknownFormat):
        unpack_hint(junk)


def test_a_newer_format_is_refused() -> None:
    """However much it looks like ours."""
    state = msgspec.msgpack.decode(pack_state(LATER))
    with pytest.raises(UnknownFormat):
        unpack_state(msgspec.msgpack.encode([2, state[1]]))
    hint = msgspec.msgpack.decode(pack_hint(b"o", Epoch(1), Seq(1)))
    with pytest.raises(UnknownFormat):
        unpack_hint(msgspec.msgpack.encode([2, *hint[1:]]))
