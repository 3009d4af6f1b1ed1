# SPDX-License-Identifier: Apache-2.0
"""What the client package takes for a webhook of ours: signed here by the server's own code."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec
import pytest

from holdspace_client import WebhookRefused, read_webhook
from holdspace_client.protocol.webhooks.news import NewsKind
from server.webhooks.signature import WebhookKey, signature

KEY = WebhookKey("holdspace", "w" * 40)
BODY = msgspec.json.encode({"id": "1", "event": "participant_joined", "room": "r", "at_ms": 5, "participant": "ann"})


def signed(body: bytes, key: WebhookKey = KEY, age_s: int = 0) -> str:
    """The header that our server sends along; at the time of the test, for it holds for minutes only."""
    return signature(key, body, int(time.time()) - age_s)


def test_a_genuine_one_is_read() -> None:
    """The body comes back as a struct."""
    news = read_webhook(BODY, signed(BODY), KEY.secret)
    assert news is not None
    assert (news.event, news.room, news.participant, news.at_ms) == (NewsKind.PARTICIPANT_JOINED, "r", "ann", 5)


def test_kinds_to_come_are_no_fault() -> None:
    """A newer server may tell more; what is not known is passed over, once it is genuine."""
    body = BODY.replace(b"participant_joined", b"moon_landed")
    assert read_webhook(body, signed(body), KEY.secret) is None
    more = BODY.replace(b'"at_ms":5', b'"at_ms":5,"weather":"fine"')
    assert read_webhook(more, signed(more), KEY.secret) is not None


@pytest.mark.parametrize(
    ("body", "authorization"),
    [
        (BODY.replace(b"ann", b"eve"), lambda: signed(BODY)),
        (BODY, lambda: signed(BODY, WebhookKey("holdspace", "x" * 40))),
        (BODY, lambda: signed(BODY, age_s=3600)),
        (BODY, lambda: ""),
        (b"{", lambda: signed(b"{")),
    ],
    ids=["another body", "another secret", "too old", "no signature", "no JSON"],
)
def test_all_others_are_refused(body: bytes, authorization: Callable[[], str]) -> None:
    """Whatever is not exactly what our server has signed lately."""
    with pytest.raises(WebhookRefused):
        read_webhook(body, authorization(), KEY.secret)
