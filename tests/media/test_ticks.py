# SPDX-License-Identifier: Apache-2.0
"""How the upkeep of many peers is spread over the time between two ticks."""

from __future__ import annotations

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
