# SPDX-License-Identifier: Apache-2.0
"""Tokens: JSON Web Tokens that say who may take which seat in which room (RFC 7519, with the advice of RFC 8725).

A *ticket* has `sub`: it is for one person. An *invite* has none: each person who opens it gets a ticket with a fresh
`sub` from POST /api/tickets. A person may come back with their ticket until it expires, to the same seat; with
`single_use` its `jti` is consumed by the first seat, and only the resume secret leads back.
"""

from __future__ import annotations

import json
import re
import secrets
from functools import lru_cache
from typing import Any, Final

import jwt
import msgspec
from jwt.algorithms import HMACAlgorithm
from jwt.api_jws import PyJWS
from msgspec import Struct
from msgspec.structs import replace

from server.errors import DisconnectCode, JoinRefused
from server.ids import ParticipantId, RoomId
from server.rooms.state import Role

ALGORITHM: Final = "HS256"
AUDIENCE: Final = "holdspace"
SKEW_SECONDS: Final = 30
MAX_TOKEN_CHARACTERS: Final = 4096
MAX_LIFE_SECONDS: Final = 400 * 24 * 3600

_IDENTIFIER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@:-]{0,63}")
MAX_NAME: Final = 40
MAX_TITLE: Final = 100


class Claims(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a token says. `exp` and `nbf` are seconds since 1970; other claims are ignored.

    `reference`: what the care platform calls the person; the others in the room never see it, the person may.
    """

    iss: str
    aud: str = AUDIENCE
    exp: int
    nbf: int = 0
    room: RoomId
    role: Role
    sub: ParticipantId | None = None
    jti: str = ""
    name: str = ""
    title: str = ""
    single_use: bool = False
    reference: str = ""

    @property
    def ticket(self) -> str:
        """What taking a seat consumes; empty: nothing."""
        return self.jti if self.single_use else ""


class TokenKey(Struct, frozen=True):
    """The key that signs and checks: `name` is `iss` and `kid`. The secret never appears in its repr."""

    name: str
    secret: str

    def __repr__(self) -> str:
        return f"TokenKey({self.name!r})"


def sign(key: TokenKey, claims: Claims) -> str:
    """The token as text."""
    payload = msgspec.to_builtins(claims) | {"aud": AUDIENCE}
    return jwt.encode(payload, key.secret, algorithm=ALGORITHM, headers={"kid": key.name})


def verify(key: TokenKey, token: str, now: int, *, expired_is_fine: bool = False) -> Claims:
    """Check a token and return what it says; raises JoinRefused with TOKEN_INVALID, _EXPIRED or _FOREIGN.

    `expired_is_fine`: for somebody who also has a valid resume secret.
    """
    payload = _signed_payload(key, token)
    try:
        claims = msgspec.convert(payload, Claims, strict=True)
    except msgspec.ValidationError as error:
        raise JoinRefused(DisconnectCode.TOKEN_INVALID, f"claims: {error}") from error
    if claims.iss != key.name or claims.aud != AUDIENCE:
        raise JoinRefused(DisconnectCode.TOKEN_FOREIGN, "iss, aud: of another service")
    if wrong := _malformed(claims) or _untimely(claims, now):
        raise JoinRefused(DisconnectCode.TOKEN_INVALID, wrong)
    if claims.exp <= now - SKEW_SECONDS and not expired_is_fine:
        raise JoinRefused(DisconnectCode.TOKEN_EXPIRED)
    return claims


def _signed_payload(key: TokenKey, token: str) -> dict[str, Any]:
    """The payload, once the signature is known to be ours. Times are checked by the caller, whose clock it is."""
    if len(token) > MAX_TOKEN_CHARACTERS or not token.isascii():
        raise JoinRefused(DisconnectCode.TOKEN_INVALID)
    try:
        # The algorithm is ours, never the header's (RFC 8725 section 3.1).
        decoded = _SIGNATURES.decode_complete(token, key.secret, algorithms=[ALGORITHM])
        if decoded["header"].get("kid") != key.name:
            raise JoinRefused(DisconnectCode.TOKEN_FOREIGN, "kid in the header: not the name of the API key")
        payload: dict[str, Any] = json.loads(decoded["payload"])
    except jwt.InvalidSignatureError as error:
        raise JoinRefused(DisconnectCode.TOKEN_FOREIGN, "signature: made with another secret") from error
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise JoinRefused(DisconnectCode.TOKEN_INVALID, "not a JSON Web Token signed with HS256") from error
    return payload


@lru_cache(maxsize=8)
def _prepared(secret: str | bytes) -> bytes:
    return HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(secret)


class _Hmac(HMACAlgorithm):
    """Asks only once whether a key is the public half of another kind: that is a third of what a token costs."""

    def prepare_key(self, key: str | bytes) -> bytes:
        return _prepared(key)


def _signatures() -> PyJWS:
    signatures = PyJWS(algorithms=[])
    signatures.register_algorithm(ALGORITHM, _Hmac(HMACAlgorithm.SHA256))
    return signatures


_SIGNATURES: Final = _signatures()


def is_identifier(text: str) -> bool:
    """Whether a room or a person can be called so."""
    return _IDENTIFIER.fullmatch(text) is not None


def _malformed(claims: Claims) -> str:
    """Which claim cannot be, in words; empty: none."""
    for name, given in (("room", claims.room), ("sub", claims.sub), ("reference", claims.reference or None)):
        if given is not None and not is_identifier(given):
            return f"{name}: 1 to 64 letters, digits or . _ @ : - and a letter or digit first"
    for name, text, most in (
        ("name", claims.name, MAX_NAME),
        ("title", claims.title, MAX_TITLE),
        ("jti", claims.jti, MAX_NAME),
    ):
        if len(text) > most or not _is_unicode(text):
            return f"{name}: at most {most} characters"
    return "jti: needed with single_use" if claims.single_use and not claims.jti else ""


def _untimely(claims: Claims, now: int) -> str:
    """What of its times is too far ahead, in words; empty: nothing."""
    if claims.nbf > now + SKEW_SECONDS:
        return "nbf: not valid yet"
    return "exp: more than 400 days ahead" if claims.exp > now + MAX_LIFE_SECONDS else ""


def _is_unicode(text: str) -> bool:
    """Whether UTF-8 can carry it: JSON can write half a surrogate pair (RFC 8259 section 8.2)."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def fresh_participant() -> ParticipantId:
    """A random identity."""
    return ParticipantId("p-" + secrets.token_urlsafe(12))


def fresh_ticket_id() -> str:
    """A `jti`."""
    return secrets.token_urlsafe(16)


def ticket_from(claims: Claims, now: int, life_seconds: int) -> Claims:
    """What a link is swapped for: the same person (an invite: a new one), for a limited time."""
    return replace(
        claims,
        sub=fresh_participant() if claims.sub is None else claims.sub,
        jti=claims.jti or fresh_ticket_id(),
        exp=min(claims.exp, now + life_seconds),
    )
