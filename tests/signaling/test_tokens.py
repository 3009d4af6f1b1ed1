# SPDX-License-Identifier: Apache-2.0
"""Tokens by themselves; over the wire they are tested in `test_join`."""

from __future__ import annotations

import base64
import json

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from server.errors import DisconnectCode, JoinRefused
from server.ids import ParticipantId, RoomId
from server.rooms.state import Role
from server.signaling.tokens import Claims, TokenKey, sign, ticket_from, verify

NOW = 1_795_000_000
KEY = TokenKey("holdspace", "s" * 40)


def _claims(**more: object) -> Claims:
    facts = {"iss": "holdspace", "exp": NOW + 60, "room": "r", "role": Role.LEADER, "sub": "ann"}
    return Claims(**(facts | more))  # type: ignore[arg-type]


def _code(token: str, now: int = NOW) -> DisconnectCode:
    with pytest.raises(JoinRefused) as refusal:
        verify(KEY, token, now)
    return refusal.value.code


def test_what_is_signed_is_read() -> None:
    """Every claim comes back, and the signature is by our algorithm and key."""
    claims = _claims(name="Ann", title="Circle", jti="j", single_use=True, nbf=NOW)
    token = sign(KEY, claims)
    assert verify(KEY, token, NOW) == claims
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "kid": "holdspace", "typ": "JWT"}


@pytest.mark.parametrize(
    ("now", "fine"), [(NOW + 60, True), (NOW + 89, True), (NOW + 90, False), (NOW - 30, True), (NOW - 31, False)]
)
def test_clocks_may_differ_by_half_a_minute(now: int, fine: bool) -> None:
    """Thirty seconds at both ends, not one more."""
    token = sign(KEY, _claims(nbf=NOW))
    if fine:
        verify(KEY, token, now)
    else:
        assert _code(token, now) in (DisconnectCode.TOKEN_EXPIRED, DisconnectCode.TOKEN_INVALID)


@pytest.mark.parametrize("claim", ["name", "title", "jti"])
def test_half_a_character_is_refused(claim: str) -> None:
    """JSON can write one half of a surrogate pair; nothing that goes out could carry it."""
    assert _code(sign(KEY, _claims(**{claim: "x\ud83d"}))) == DisconnectCode.TOKEN_INVALID


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"role": None}, "role"),
        ({"room": ".hidden"}, "room: "),
        ({"sub": "a b"}, "sub: "),
        ({"reference": "a/b"}, "reference: "),
        ({"name": "x" * 41}, "name: at most 40"),
        ({"title": "x" * 101}, "title: at most 100"),
        ({"single_use": True}, "jti: "),
        ({"nbf": NOW + 31}, "nbf: "),
        ({"exp": NOW + 500 * 24 * 3600}, "exp: "),
        ({"exp": float(NOW)}, "exp"),
        ({"aud": "holdspace-api"}, "aud"),
    ],
)
def test_who_signs_tokens_hears_which_claim_is_wrong(change: dict[str, object], said: str) -> None:
    """The detail of the refusal names it; what the person reads does not change."""
    payload = {"iss": "holdspace", "aud": "holdspace", "exp": NOW + 60, "room": "r", "role": "leader"} | change
    token = jwt.encode(payload, KEY.secret, headers={"kid": KEY.name})
    with pytest.raises(JoinRefused) as refusal:
        verify(KEY, token, NOW)
    assert said in refusal.value.detail


def test_another_secret_and_another_key_are_told_apart() -> None:
    """Both are foreign; the detail says what to look at."""
    claims = {"iss": "holdspace", "aud": "holdspace", "exp": NOW + 60, "room": "r", "role": "leader"}
    for secret, kid, said in (("t" * 40, "holdspace", "signature"), (KEY.secret, "other", "kid")):
        with pytest.raises(JoinRefused) as refusal:
            verify(KEY, jwt.encode(claims, secret, headers={"kid": kid}), NOW)
        assert refusal.value.code == DisconnectCode.TOKEN_FOREIGN
        assert refusal.value.detail.startswith(said)


def _forged(header: dict[str, str], payload: dict[str, object], signature: bytes = b"") -> str:
    parts = (json.dumps(header).encode(), json.dumps(payload).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "RS256", "HS384", "ES256", "", "EdDSA"])
def test_the_algorithm_is_ours(algorithm: str) -> None:
    """RFC 8725 section 3.1: whatever the header says, nothing else is tried."""
    payload: dict[str, object] = {
        "iss": "holdspace",
        "aud": "holdspace",
        "exp": NOW + 60,
        "room": "r",
        "role": "moderator",
    }
    for signature in (b"", b"x" * 32):
        assert (
            _code(_forged({"alg": algorithm, "kid": "holdspace"}, payload, signature)) is DisconnectCode.TOKEN_INVALID
        )


def test_a_key_pair_of_somebody_else_does_not_help() -> None:
    """RS256 with a key of one's own is not even looked at."""
    private = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    payload = {"iss": "holdspace", "aud": "holdspace", "exp": NOW + 60, "room": "r", "role": "moderator"}
    token = jwt.encode(payload, private, algorithm="RS256", headers={"kid": "holdspace"})
    assert _code(token) is DisconnectCode.TOKEN_INVALID


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": 10**400},
        {"exp": float("inf")},
        {"exp": "soon"},
        {"exp": None},
        {"nbf": []},
        {"room": ""},
        {"room": "r\n"},
        {"room": 7},
        {"role": "owner"},
        {"sub": ""},
        {"sub": "x" * 65},
        {"name": "x" * 41},
        {"title": "x" * 101},
        {"single_use": True},
        {"aud": ["holdspace"]},
    ],
)
def test_strange_claims_are_invalid_even_if_signed(claims: dict[str, object]) -> None:
    """A platform that signs nonsense is told so; nothing overflows."""
    payload = {"iss": "holdspace", "aud": "holdspace", "exp": NOW + 60, "room": "r", "role": "leader", "sub": "ann"}
    token = jwt.encode(payload | claims, KEY.secret, algorithm="HS256", headers={"kid": "holdspace"})
    assert _code(token) is DisconnectCode.TOKEN_INVALID


def test_a_ticket_keeps_its_person() -> None:
    """An invite becomes somebody new, a link for one person stays that person, and neither lives longer."""
    person = ticket_from(_claims(exp=NOW + 1000), NOW, 300)
    assert (person.sub, person.exp, person.role, person.room) == (
        ParticipantId("ann"),
        NOW + 300,
        Role.LEADER,
        RoomId("r"),
    )
    invite = _claims(sub=None)
    assert len({ticket_from(invite, NOW, 300).sub for _ in range(50)}) == 50
    for _ in range(50):
        verify(KEY, sign(KEY, ticket_from(invite, NOW, 300)), NOW)


def test_the_key_does_not_show_its_secret() -> None:
    """Neither in a log nor in a traceback."""
    assert KEY.secret not in repr(KEY)
    assert KEY.secret not in str(KEY)
