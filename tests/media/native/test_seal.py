# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pylibsrtp import Policy

from server.media.dtls import SrtpError, SrtpPair, make_sender
from server.media.native import seal
from server.media.native.library import load
from server.media.native.seal import CompiledKeys, keys_of
from server.media.outbox import MAX_PACKET
from tests.media.packets import rtp
from tests.media.paths import compiled_library

SSRC = 0x89ABCDEF
SMALL, LARGE = Policy.SRTP_PROFILE_AEAD_AES_128_GCM, Policy.SRTP_PROFILE_AEAD_AES_256_GCM
OLD = Policy.SRTP_PROFILE_AES128_CM_SHA1_80
KEYS = {SMALL: bytes(range(28)), LARGE: bytes(range(44)), OLD: bytes(range(30))}
FUNCTIONS = load(compiled_library())


def keys(profile: int) -> CompiledKeys:
    """Some."""
    return CompiledKeys(FUNCTIONS, KEYS[profile], profile)


def said(sender: object, packet: bytes) -> bytes | None:
    """What goes out, None for nothing."""
    try:
        return sender.protect(packet)  # type: ignore[attr-defined,no-any-return]
    except SrtpError:
        return None


def test_openssl_is_within_reach() -> None:
    """A pylibsrtp that hides it costs a third of the speed, and turns this red."""
    assert seal._load() is not None  # noqa: SLF001


@pytest.mark.parametrize("profile", KEYS)
@given(
    first=st.integers(0, 0xFFFF),
    steps=st.lists(
        st.integers(-3, 3) | st.sampled_from([-600, -513, -512, -511, 511, 512, 513, 30_000, 0x7FFF]), max_size=40
    ),
    payloads=st.lists(st.binary(max_size=80), min_size=1, max_size=3),
    extension=st.booleans(),
)
def test_what_goes_out_is_what_libsrtp_sends(
    profile: int, first: int, steps: list[int], payloads: list[bytes], extension: bool
) -> None:
    """To the byte, whatever the numbers do: around their end, late, twice; and the same is refused."""
    ours, theirs = keys(profile).sender(SSRC), make_sender(KEYS[profile], profile)
    number, went = first, set()
    for at, step in enumerate([0, *steps]):
        number += step
        packet = rtp(
            number & 0xFFFF,
            ssrc=SSRC,
            payload=payloads[at % len(payloads)],
            extensions=[(3, b"\1\2")] if extension else [],
        )
        found = said(ours, packet)
        assert found == said(theirs, packet)
        if found is not None:
            assert number not in went, "one nonce, one packet"
            went.add(number)


@pytest.mark.parametrize("profile", [SMALL, LARGE])
def test_no_number_goes_out_twice(profile: int) -> None:
    """Not with another text, not after a cycle of the numbers, and not from a second look at the same keys."""
    srtp = SrtpPair(receive_key=KEYS[profile], send_key=KEYS[profile], profile=profile)
    sender = keys_of(FUNCTIONS, srtp).sender(SSRC)
    assert keys_of(FUNCTIONS, srtp).sender(SSRC) is sender
    first = [said(sender, rtp(number & 0xFFFF, ssrc=SSRC)) for number in range(65_000, 66_000)]
    assert None not in first
    assert [said(sender, rtp(number & 0xFFFF, ssrc=SSRC)) for number in range(65_000, 66_000)] == [None] * 1_000


def test_what_is_no_packet_does_not_go_out() -> None:
    """Too long, too short, or with a header that ends behind it."""
    sender = keys(SMALL).sender(SSRC)
    with pytest.raises(ValueError, match=str(MAX_PACKET + 1)):
        sender.protect(bytes([0x80]) + bytes(MAX_PACKET))
    for packet in (b"", rtp(1)[:11], bytes([0x82]) + bytes(15), bytes([0x90]) + bytes(13), b"\x90" + b"\xff" * 30):
        assert said(sender, packet) is None


def test_without_openssl_libsrtp_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pylibsrtp of another make works, only slower."""
    monkeypatch.setattr(seal, "_load", lambda: None)
    packet = rtp(7, ssrc=SSRC, payload=b"text")
    assert keys(SMALL).sender(SSRC).protect(packet) == make_sender(KEYS[SMALL], SMALL).protect(packet)


def test_a_library_that_is_not_there_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is one without these functions."""
    for name in ("/no/such/file", str(compiled_library())):
        monkeypatch.setattr(seal, "openssl_library", lambda name=name: name)
        assert seal._load.__wrapped__() is None  # noqa: SLF001
