# SPDX-License-Identifier: Apache-2.0
"""Log time never jumps and never goes back."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.cluster import redis_clock
from server.cluster.calls import Executes, Reply, Word
from server.cluster.connect import Client, client_of, disconnect
from server.cluster.log_time import LogTime
from server.cluster.redis_clock import RedisClock
from server.cluster.replies import number
from tests.cluster.servers import RunningRedis, redis_server

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


def test_who_begins_later_is_not_ahead() -> None:
    """The shared clock was set; whoever begins now begins where the others are, and follows with them."""
    first = LogTime(0, DATE)
    first.steer(0, DATE + 600 * S, 1_000_000)
    second = LogTime(7 * S, DATE + 607 * S, first.ahead_ns(7 * S))
    assert second.now_ms(7 * S) == first.now_ms(7 * S)
    assert second.now_ms(100 * S) == first.now_ms(100 * S)
    assert second.now_ms(7000 * S) == first.now_ms(7000 * S) == (DATE + 7600 * S) // 1_000_000


class _Set:
    """A client of a Redis whose clock was set."""

    def __init__(self, client: Executes) -> None:
        self._client = client
        self.later_s = 0

    async def execute_command(self, *args: Word) -> Reply:
        """As ever, but for the seconds of TIME."""
        reply = await self._client.execute_command(*args)
        if isinstance(reply, list):
            return [number(reply[0]) + self.later_s, *reply[1:]]
        return reply


async def test_a_node_that_starts_after_the_clock_was_set_agrees_with_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ten minutes of difference would let the time-outs of all rooms fire ten minutes early there."""
    monkeypatch.setattr(redis_clock, "REFRESH_S", 0.05)
    async with redis_server("redis") as server:
        client = client_of(server.url)
        redis = _Set(client)
        first, second = (RedisClock(cast("Client", redis)) for _ in range(2))
        await first.start()
        redis.later_s = 600
        await asyncio.sleep(0.5)
        await second.start()
        assert abs(second.now_ms() - first.now_ms()) < 5_000
        for clock in (first, second):
            await clock.close()
        await disconnect(client)


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
