# SPDX-License-Identifier: Apache-2.0
"""Webhooks as the settings have them: without an address nothing is written, sent or looked for."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from server.config import Config, load_webhook_secret
from server.observing import Tracer
from server.runner.core import ROOM_RULES
from server.runner.steps import Rules
from server.webhooks.courier import Courier, Meter, Receiver
from server.webhooks.news import news_of
from server.webhooks.ports import NewsStand
from server.webhooks.signature import WebhookKey


class NoCourier:
    """Nobody wants to be told."""

    def start(self) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """Nothing to do."""


def rules_of(config: Config) -> Rules:
    """The rules of rooms, with news if somebody is to be told."""
    return replace(ROOM_RULES, news=news_of) if config.webhook_url else ROOM_RULES


def courier_of(
    config: Config,
    stand: NewsStand,
    meter: Meter,
    tracer: Tracer | None,
    *,
    share: Callable[[], tuple[int, int] | None],
    now_ms: Callable[[], int],
) -> Courier | NoCourier:
    """Whoever tells it. Raises ConfigError where the secret is missing."""
    if not config.webhook_url:
        return NoCourier()
    receiver = Receiver(config.webhook_url, WebhookKey(config.api_key, load_webhook_secret(config)))
    return Courier(stand, receiver, meter, share=share, now_ms=now_ms, tracer=tracer)
