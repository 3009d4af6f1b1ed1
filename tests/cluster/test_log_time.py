# SPDX-License-Identifier: Apache-2.0
"""Log time never jumps and never goes back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from server.cluster.connect import client_of, disconnect
from server.cluster.log_time import LogTime
from server.cluster.redis_clock import RedisClock
from tests.cluster.servers import RunningRedis

S = 1_000_000_000
DATE = 1_700_000_000 * S


def test_it_counts_on_from_the_first_reading() -> None:
    """With the node's own clock alone."""
    clock = LogTime(5 * S, DATE)
    assert clock.now_ms(5 * S) == 1_700_000_000_000
    assert clock.now_ms(65 * S) == 1_700_000_060_000


def test_a_set_clock_is_followed_slowly() -> None:
    """A tenth of the time that passes, both ways, until both agree."""
    for step in (S, -S):
        clock = LogTime(0, DATE)
        clock.steer(0, DATE + step, 1_000_000)
        assert clock.now_ms(5 * S) == (DATE + 5 * S + step // 2) // 1_000_000
        assert clock.now_ms(10 * S) == clock.now_ms(20 * S) - 10_000 == (DATE + 10 * S + step) // 1_000_000


def test_what_the_network_blurs_changes_nothing() -> None:
    """A reading within its own error."""
    clock = LogTime(0, DATE)
    clock.steer(0, DATE + 900_000, 1_000_000)
    assert clock.now_ms(100 * S) == 1_700_000_100_000


@given(st.lists(st.tuples(st.integers(0, 20 * S), st.integers(-4000 * S, 4000 * S), st.booleans()), max_size=30))
def test_it_never_goes_back(steps: list[tuple[int, int, bool]]) -> None:
    """Whatever the shared clock says."""
    clock, local, last = LogTime(0, DATE), 0, 0
    for passed, shift, steered in steps:
        local += passed
        now = clock.now_ms(local)
        assert last <= now <= last + passed * 11 // 10 // 1_000_000 + 1 or last == 0
        last = now
        if steered:
            clock.steer(local, DATE + local + shift, 1_000_000)
            assert clock.now_ms(local) == now


async def test_nodes_agree(shared_server: RunningRedis) -> None:
    """Clocks of two nodes show the same time, that of Redis."""
    clients = [client_of(shared_server.url) for _ in range(2)]
    clocks = [RedisClock(client) for client in clients]
    for clock in clocks:
        await clock.start()
    one, two, three = clocks[0].now_ms(), clocks[1].now_ms(), clocks[0].now_ms()
    assert one - 200 <= two <= three + 200
    for clock, client in zip(clocks, clients, strict=True):
        await clock.close()
        await disconnect(client)
