# SPDX-License-Identifier: Apache-2.0
"""What the client package takes for a webhook of ours: signed here by the server's own code."""

from __future__ import annotations

import time

import msgspec
import pytest

from holdspace_client import WebhookRefused, read_webhook
from holdspace_client.protocol.webhooks.news import NewsKind
from server.webhooks.signature import WebhookKey, signature

KEY = WebhookKey("holdspace", "w" * 40)
NOW = int(time.time())
BODY = msgspec.json.encode({"id": "1", "event": "participant_joined", "room": "r", "at_ms": 5, "participant": "ann"})


def test_a_genuine_one_is_read() -> None:
    """The body comes back as a struct."""
    news = read_webhook(BODY, signature(KEY, BODY, NOW), KEY.secret)
    assert news is not None
    assert (news.event, news.room, news.participant, news.at_ms) == (NewsKind.PARTICIPANT_JOINED, "r", "ann", 5)


def test_kinds_to_come_are_no_fault() -> None:
    """A newer server may tell more; what is not known is passed over, once it is genuine."""
    body = BODY.replace(b"participant_joined", b"moon_landed")
    assert read_webhook(body, signature(KEY, body, NOW), KEY.secret) is None
    more = BODY.replace(b'"at_ms":5', b'"at_ms":5,"weather":"fine"')
    assert read_webhook(more, signature(KEY, more, NOW), KEY.secret) is not None


@pytest.mark.parametrize(
    ("body", "authorization"),
    [
        (BODY.replace(b"ann", b"eve"), signature(KEY, BODY, NOW)),
        (BODY, signature(WebhookKey("holdspace", "x" * 40), BODY, NOW)),
        (BODY, signature(KEY, BODY, NOW - 3600)),
        (BODY, ""),
        (b"{", signature(KEY, b"{", NOW)),
    ],
    ids=["another body", "another secret", "too old", "no signature", "no JSON"],
)
def test_all_others_are_refused(body: bytes, authorization: str) -> None:
    """Whatever is not exactly what our server has signed lately."""
    with pytest.raises(WebhookRefused):
        read_webhook(body, authorization, KEY.secret)
