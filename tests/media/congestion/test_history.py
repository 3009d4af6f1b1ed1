# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from server.media.congestion.history import SIZE, SendHistory


def test_numbers_rise_and_keep_what_was_sent() -> None:
    """Each packet has the next number, and its time and size are found under it."""
    history = SendHistory(first=65_535)
    numbers = [history.next() for _ in range(3)]
    for number in numbers:
        history.sent(number, 1_000 + number % 3, 5_000 + number)
    assert history.total_bytes == 3_003
    assert numbers == [65_535, 65_536, 65_537]
    assert [history.unwrap(number & 0xFFFF) for number in numbers] == numbers
    assert [history.times[number % SIZE] for number in numbers] == [5_000 + number for number in numbers]
    assert [history.sizes[number % SIZE] for number in numbers] == [1_000 + number % 3 for number in numbers]


def test_unsent_number_has_no_time() -> None:
    """A number whose packet never left does not show the packet that had the entry before."""
    history = SendHistory()
    for _ in range(SIZE):
        history.sent(history.next(), 100, 7)
    assert history.times[history.next() % SIZE] == 0


def test_unwrap_never_points_ahead() -> None:
    """A number not given out yet is taken for one of an earlier cycle."""
    history = SendHistory(first=70_000)
    history.next()
    assert history.unwrap(70_000 & 0xFFFF) == 70_000
    assert history.unwrap(70_001 & 0xFFFF) == 70_001 - 0x10000
