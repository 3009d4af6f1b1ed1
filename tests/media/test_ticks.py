# SPDX-License-Identifier: Apache-2.0
"""How the upkeep of many peers is spread over the time between two ticks."""

from __future__ import annotations

import asyncio
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from server.media.service import MediaService


@pytest.fixture
async def service(monkeypatch: pytest.MonkeyPatch) -> Any:  # noqa: ANN401
    """One without timers: the test is the clock."""
    monkeypatch.setattr(MediaService, "_schedule", lambda _: None)
    service = MediaService(lambda _: None, ("127.0.0.1",), 0)
    yield service
    service.connections.peers.clear()
    await service.close()


@pytest.mark.parametrize("people", [1, 12, 100, 1_000])
async def test_everybody_is_seen_to_once_in_a_tick_and_few_at_a_time(service: Any, people: int) -> None:  # noqa: ANN401
    """However many there are, a packet waits for a part of them only."""
    seen: list[tuple[int, int]] = []

    class Peer:
        downlink = None
        dropped = 0

    def keep(number: int) -> SimpleNamespace:
        return SimpleNamespace(tick=lambda ticks, _: seen.append((ticks, number)))

    for number in range(people):
        peer = service.connections.peers[number] = Peer()
        service._upkeep[peer] = keep(number)  # noqa: SLF001
    service._tick(0.0)  # noqa: SLF001
    first = len(seen)
    most = 0
    while service._ticks < 41:  # noqa: SLF001
        before = len(seen)
        service._tick(0.0)  # noqa: SLF001
        most = max(most, len(seen) - before)
    turns = Counter(seen[first:])
    assert set(turns.values()) == {1}
    assert len(turns) == people * 40
    assert most <= max(8, people // 12 + 1)


class Linked:
    """A peer with nothing but a link."""

    dropped = 0

    def __init__(self, downlink: object) -> None:
        self.downlink = downlink


async def test_a_link_that_is_measured_gets_its_padding_between_the_ticks(service: Any) -> None:  # noqa: ANN401
    """Every 10 ms from the tick on with which it begins, until it is over; a link that is not measured gets none."""

    class Link:
        def __init__(self, turns: int) -> None:
            self.turns = turns
            self.asked = 0
            self.shed = None

        @property
        def probing(self) -> bool:
            return self.asked < self.turns

        def probe(self, _: int) -> None:
            self.asked += 1
            if not any(link.probing for link in links):
                over.set()

    over = asyncio.Event()
    links = [Link(3), Link(0), Link(1)]
    for number, link in enumerate(links):
        peer = service.connections.peers[number] = Linked(link)
        service._upkeep[peer] = SimpleNamespace(tick=lambda *_: None)  # noqa: SLF001
    async with asyncio.timeout(5):
        service._tick(0.0)  # noqa: SLF001
        await over.wait()
    assert [link.asked for link in links] == [3, 0, 1]


async def test_a_fault_in_one_upkeep_is_that_peers_alone(service: Any) -> None:  # noqa: ANN401
    """It is reported, everybody else is seen to, and so they are in the next tick."""
    seen: list[int] = []
    reported: list[BaseException] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["exception"]))

    def keep(number: int) -> SimpleNamespace:
        return SimpleNamespace(tick=lambda *_: seen.append(number) if number != 1 else 1 // 0)

    for number in range(3):
        peer = service.connections.peers[number] = Linked(None)
        service._upkeep[peer] = keep(number)  # noqa: SLF001
    for _ in range(2):
        service._tick(0.0)  # noqa: SLF001
    assert seen == [0, 2, 0, 2]
    assert [type(error) for error in reported] == [ZeroDivisionError] * 2
