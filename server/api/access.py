# SPDX-License-Identifier: Apache-2.0
"""Who may use the API for care platforms: whoever can sign with the api secret.

`Authorization: Bearer <JWT>`, HS256, `kid` and `iss` the api key, `aud` "holdspace-api", `exp` within an hour. A join
link is no such token: its audience is another.
"""

from __future__ import annotations

from typing import Any, Final

import jwt

from server.signaling.tokens import ALGORITHM, MAX_TOKEN_CHARACTERS, SKEW_SECONDS, TokenKey

API_AUDIENCE: Final = "holdspace-api"
MAX_LIFE_S: Final = 3600
_SCHEME: Final = "bearer "


def api_token(key: TokenKey, now: int, life_s: int = 300) -> str:
    """A token for the API."""
    claims = {"iss": key.name, "aud": API_AUDIENCE, "exp": now + life_s}
    return jwt.encode(claims, key.secret, algorithm=ALGORITHM, headers={"kid": key.name})


def objection(key: TokenKey, authorization: str, now: int) -> str:
    """What keeps this Authorization header from opening the API, in words for who signs; empty: nothing."""
    token = authorization[len(_SCHEME) :].strip()
    if not authorization.lower().startswith(_SCHEME) or len(token) > MAX_TOKEN_CHARACTERS or not token.isascii():
        return "Authorization: Bearer and a JSON Web Token are needed"
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key.secret,
            algorithms=[ALGORITHM],
            audience=API_AUDIENCE,
            issuer=key.name,
            options={"require": ["exp", "aud", "iss"], "verify_exp": False, "verify_nbf": False, "verify_iat": False},
        )
    except jwt.InvalidSignatureError:
        return "signed with another secret"
    except (jwt.InvalidAudienceError, jwt.InvalidIssuerError, jwt.MissingRequiredClaimError):
        return f"needed are exp, aud {API_AUDIENCE!r}, and the name of the API key as iss"
    except (jwt.PyJWTError, ValueError, RecursionError):
        return "not a JSON Web Token signed with HS256"
    expires = claims["exp"]
    if isinstance(expires, int) and now - SKEW_SECONDS < expires <= now + MAX_LIFE_S + SKEW_SECONDS:
        return ""
    return "exp: whole seconds since 1970, not past, and at most an hour ahead"
