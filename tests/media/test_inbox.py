# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from server.media import inbox
from server.media.inbox import BATCH, Inbox


@contextmanager
def pair(host: str = "127.0.0.1") -> Iterator[tuple[Inbox, list[socket.socket], tuple[str, int]]]:
    """An inbox, and two that send to its address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sockets = [socket.socket(family, socket.SOCK_DGRAM) for _ in range(3)]
    try:
        for sock in sockets:
            sock.bind((host, 0))
            sock.setblocking(False)
        yield Inbox(sockets[0], 3), sockets[1:], sockets[0].getsockname()[:2]
    finally:
        for sock in sockets:
            sock.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_datagrams_come_in_order_with_their_paths(host: str) -> None:
    """From several addresses of both families; an empty one is one, too."""
    if ":" in host and not socket.has_ipv6:
        pytest.skip("no IPv6 on this machine")
    with pair(host) as (box, senders, to):
        paths = [(3, sender.getsockname()[:2]) for sender in senders]
        sent = [(b"one", 0), (b"two" * 400, 1), (b"", 0), (b"three", 0)]
        for data, by in sent:
            senders[by].sendto(data, to)
        assert box.read() == [(data, paths[by]) for data, by in sent]
        assert box.read() == []


def test_one_read_is_bounded() -> None:
    """What is more waits: other work of the loop gets its turn."""
    with pair() as (box, (sender, _), to):
        for number in range(BATCH + 5):
            sender.sendto(bytes([number]), to)
        assert [data for data, _ in box.read()] == [bytes([number]) for number in range(BATCH)]
        assert len(box.read()) == 5


def test_forged_addresses_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only so many are remembered, and forgetting them changes nothing."""
    monkeypatch.setattr(inbox, "_MAX_KNOWN", 1)
    with pair() as (box, senders, to):
        for _ in range(3):
            for sender in senders:
                sender.sendto(b"x", to)
        assert [path for _, path in box.read()] == [(3, sender.getsockname()) for _ in range(3) for sender in senders]


def test_where_the_system_reads_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same, more slowly."""
    monkeypatch.setattr(inbox, "BATCHES", False)
    with pair() as (box, (sender, _), to):
        sender.sendto(b"x", to)
        assert box.read() == [(b"x", (3, sender.getsockname()))]
        assert box.read() == []
