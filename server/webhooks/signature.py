# SPDX-License-Identifier: Apache-2.0
"""What proves to a receiver that a webhook is ours, and whole: a JWT over the SHA-256 of the body, as in LiveKit."""

from __future__ import annotations

import base64
import hashlib
from typing import Final

import jwt
from msgspec import Struct

ALGORITHM: Final = "HS256"
AUDIENCE: Final = "holdspace-webhook"
LIFE_S: Final = 300


class WebhookKey(Struct, frozen=True):
    """`name`: `iss` and `kid`. The secret never appears in its repr."""

    name: str
    secret: str

    def __repr__(self) -> str:
        return f"WebhookKey({self.name!r})"


def signature(key: WebhookKey, body: bytes, now_s: int) -> str:
    """The value of the header `Authorization`."""
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    claims = {"iss": key.name, "aud": AUDIENCE, "nbf": now_s - LIFE_S, "exp": now_s + LIFE_S, "sha256": digest}
    return jwt.encode(claims, key.secret, algorithm=ALGORITHM, headers={"kid": key.name})
