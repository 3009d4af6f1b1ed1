# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from server.cluster.home import home_of
from server.cluster.lapse import LEASE_MS, TOUCH_MS, Lapses
from server.ids import NodeId

A, B, C = map(NodeId, "abc")


def watched(watch: Lapses, start_ms: int, end_ms: int, *, beat: int | None = None) -> tuple[NodeId, ...]:
    """Looks once a second while B stands still, or beats."""
    suspects: tuple[NodeId, ...] = ()
    for now_ms in range(start_ms, end_ms + 1, 1_000):
        suspects = watch.look(now_ms, {A: now_ms, B: now_ms if beat is None else beat})
    return suspects


def test_a_node_that_stands_still_for_a_lease_is_suspected() -> None:
    """Not a second earlier, and nobody who goes on."""
    watch = Lapses()
    assert watched(watch, 0, LEASE_MS - 1_000, beat=7) == ()
    assert watched(watch, LEASE_MS, LEASE_MS, beat=7) == (B,)


def test_one_beat_is_enough() -> None:
    """The lease counts from the last one."""
    watch = Lapses()
    watched(watch, 0, 4_000, beat=7)
    assert watched(watch, 5_000, 5_000 + LEASE_MS - 1_000, beat=8) == ()
    assert watched(watch, 5_000 + LEASE_MS, 5_000 + LEASE_MS, beat=8) == (B,)


def test_who_was_out_of_touch_suspects_nobody() -> None:
    """After a sleep, or when Redis was away from all, everyone has a whole lease to beat again."""
    watch = Lapses()
    watched(watch, 0, 4_000, beat=7)
    late = 4_000 + TOUCH_MS + 1
    assert watched(watch, late, late + LEASE_MS - 1_000, beat=7) == ()
    assert watched(watch, late + LEASE_MS - 1, late + LEASE_MS - 1, beat=7) == ()
    assert watched(watch, late + LEASE_MS, late + LEASE_MS, beat=7) == (B,)


def test_who_is_gone_from_the_list_is_forgotten() -> None:
    """And is new when it comes back."""
    watch = Lapses()
    watch.look(0, {B: 1})
    watch.look(1_000, {})
    assert watched(watch, 2_000, 2_000 + LEASE_MS - 1_000, beat=1) == ()


def test_a_home_is_the_same_for_all_and_moves_little() -> None:
    """Whatever the order; rooms of a node that goes spread over the others, all other rooms stay."""
    rooms = [f"room {number}" for number in range(300)]
    before = {room: home_of(room, (A, B, C)) for room in rooms}
    assert before == {room: home_of(room, {C, B, A}) for room in rooms}
    after = {room: home_of(room, (A, B)) for room in rooms}
    assert all(after[room] == home for room, home in before.items() if home != C)
    for node, low in ((A, 70), (B, 70), (C, 70)):
        assert sum(home == node for home in before.values()) > low
    assert {after[room] for room, home in before.items() if home == C} == {A, B}
    assert home_of("room", ()) is None
