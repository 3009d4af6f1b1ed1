# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from holdspace_client.invitation import address_of
from holdspace_client.patience import DELAYS_S, delay_s


def test_attempts_become_rarer_and_never_stop() -> None:
    """The first one is at once; from the last delay on it stays as it is."""
    waits = [delay_s(attempt, 0.0) for attempt in range(len(DELAYS_S) + 3)]
    assert waits[0] == 0
    assert waits == sorted(waits)
    assert waits[-4:] == [DELAYS_S[-1]] * 4


def test_a_group_does_not_come_back_at_once() -> None:
    """Chance adds up to half as much."""
    assert delay_s(2, 0.0) == pytest.approx(1.0)
    assert delay_s(2, 0.999) == pytest.approx(1.5, abs=0.01)


def test_the_server_may_ask_for_more() -> None:
    """Its wish is the least, and is spread as well; a shorter one changes nothing."""
    assert delay_s(0, 0.0, retry_after_ms=4_000) == pytest.approx(4.0)
    assert delay_s(0, 0.5, retry_after_ms=4_000) == pytest.approx(5.0)
    assert delay_s(5, 0.0, retry_after_ms=100) == pytest.approx(DELAYS_S[-1])


def test_a_link_is_taken_apart() -> None:
    """Server and token; what stands between them is of no concern."""
    assert address_of("https://groups.example.org/#abc.def") == ("https://groups.example.org", "abc.def")
    assert address_of("http://localhost:8080/room?x=1#abc") == ("http://localhost:8080", "abc")


@pytest.mark.parametrize(
    "link", ["", "abc", "https://groups.example.org/", "ftp://groups.example.org/#abc", "https:#abc"]
)
def test_what_is_no_link_is_not_repeated(link: str) -> None:
    """The message would go into a log; a link is a key."""
    with pytest.raises(ValueError, match=r"^not a join link$"):
        address_of(link)
