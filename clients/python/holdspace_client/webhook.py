# SPDX-License-Identifier: Apache-2.0
"""Webhooks that a Holdspace server has sent: whether they are genuine, and what they tell."""

from __future__ import annotations

import base64
import hashlib
import hmac

import jwt
import msgspec
from msgspec import Struct

from holdspace_client.protocol.webhooks.news import News, NewsKind

KINDS = frozenset(NewsKind)


class WebhookRefused(Exception):
    """Not from our server, or changed on the way."""


class _Kind(Struct):
    event: str


def read_webhook(body: bytes, authorization: str, secret: str) -> News | None:
    """What the webhook tells; None: something that this version of the package does not know. Raises WebhookRefused.

    `body`: the bytes as they came. `authorization`: the header, a JWT (HS256 with the servers' `webhook_secret`) whose
    claim `sha256` is the base64 of the body's SHA-256.
    """
    try:
        claims = jwt.decode(
            authorization, secret, algorithms=["HS256"], audience="holdspace-webhook", options={"require": ["exp"]}
        )
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        if not hmac.compare_digest(digest, str(claims.get("sha256", ""))):
            raise WebhookRefused("another body was signed")
        if msgspec.json.decode(body, type=_Kind).event not in KINDS:
            return None
        return msgspec.json.decode(body, type=News)
    except (jwt.PyJWTError, msgspec.MsgspecError) as error:
        raise WebhookRefused from error
