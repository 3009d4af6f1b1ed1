# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from server.signaling.origins import allowed


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (None, "example.org"),
        ("http://localhost:8080", "localhost:8080"),
        ("https://example.org", "example.org"),
        ("https://example.org", "example.org:443"),
        ("https://Example.org", "example.org"),
        ("http://example.org:80", "example.org"),
        ("http://[::1]:8080", "[::1]:8080"),
        ("https://partner.example", "example.org"),
    ],
)
def test_allowed(origin: str | None, host: str) -> None:
    """Our own pages, those of the list, and clients that are no browsers."""
    assert allowed(origin, host, {"https://partner.example"})


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "https://example.org.evil.example",
        "https://evil.example",
        "https://example.org:8443",
        "https://sub.example.org",
        "https://example.org/",
        "https://user@example.org",
        "file://",
        "ftp://example.org",
        "example.org",
        "https://partner.example:444",
        "http://partner.example",
        "https://example.org\n",
    ],
)
def test_refused(origin: str) -> None:
    """Anything that only looks like it."""
    assert not allowed(origin, "example.org", {"https://partner.example"})
