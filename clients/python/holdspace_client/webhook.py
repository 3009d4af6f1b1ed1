# SPDX-License-Identifier: Apache-2.0
"""Webhooks that a Holdspace server has sent: whether they are genuine. Pure but for the clock."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

import jwt
import msgspec


class WebhookRefused(Exception):
    """Not from our server, or changed on the way."""


def read_webhook(body: bytes, authorization: str, *, api_key: str, api_secret: str) -> dict[str, Any]:
    """What the webhook tells. Raises WebhookRefused.

    `authorization`: the header as it came, a JWT (HS256) whose claim `sha256` is the base64 of the body's SHA-256.
    """
    try:
        claims = jwt.decode(
            authorization.removeprefix("Bearer ").strip(),
            api_secret,
            algorithms=["HS256"],
            issuer=api_key,
            options={"require": ["exp", "iss"], "verify_aud": False},
        )
        told: dict[str, Any] = msgspec.json.decode(body, type=dict[str, Any])
    except (jwt.PyJWTError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise WebhookRefused from error
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    if not hmac.compare_digest(digest, str(claims.get("sha256", ""))):
        raise WebhookRefused("the body is not what was signed")
    return told
