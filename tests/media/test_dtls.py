# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio

import pytest
from aiortc.rtcdtlstransport import RTCCertificate, RTCDtlsParameters, RTCDtlsTransport
from cffi import FFI
from pylibsrtp import Policy

from server.media.dtls import (
    PRIVATE_NAMES,
    Certificate,
    DtlsSession,
    HandshakeFailed,
    SrtpError,
    SrtpPair,
    protect_in_place,
)
from tests.media.packets import rtp
from tests.media.peer import ClientWire, sha256_of


def test_the_private_names_of_aiortc_are_there() -> None:
    """What we reach into exists under these names; a new aiortc that moves them turns this red."""
    transport = RTCDtlsTransport(ClientWire(lambda _: None), [Certificate().rtc])  # type: ignore[arg-type]
    for name in PRIVATE_NAMES:
        assert hasattr(transport, name), name


async def handshake(fingerprint: str | None = None) -> tuple[DtlsSession, RTCDtlsTransport, asyncio.Task[None], object]:
    """Both ends joined in memory; the last item is our keys or the reason that there are none."""
    ours = Certificate()
    theirs = RTCCertificate.generateCertificate()
    wire = ClientWire(lambda data: session.receive(data))  # noqa: PLW0108 - the session is made below
    client = RTCDtlsTransport(wire, [theirs])  # type: ignore[arg-type]
    client._set_role("client")  # noqa: SLF001 - the client of the test, not the code under test
    session = DtlsSession(ours, fingerprint or sha256_of(theirs), wire.put)
    started = asyncio.create_task(client.start(RTCDtlsParameters(fingerprints=ours.rtc.getFingerprints())))
    closed = asyncio.Event()
    try:
        keys: object = await session.handshake(closed.set)
    except HandshakeFailed as failure:
        keys = failure
    return session, client, started, keys


async def test_keys_fit_those_of_the_other_side() -> None:
    """What the client protects we read, and the other way round; forged packets are refused."""
    session, client, started, keys = await handshake()
    await started
    assert not isinstance(keys, HandshakeFailed)
    data = rtp(5)
    protected = client._tx_srtp.protect(data)  # noqa: SLF001
    assert keys.unprotect(protected) == data  # type: ignore[attr-defined]
    assert client._rx_srtp.unprotect(keys.sender.protect(data)) == data  # type: ignore[attr-defined]  # noqa: SLF001
    with pytest.raises(SrtpError):
        keys.unprotect(protected[:-1] + bytes([protected[-1] ^ 1]))  # type: ignore[attr-defined]
    await session.close()
    await client.stop()


async def test_a_packet_is_protected_where_it_lies() -> None:
    """The pointer into libsrtp works like its Python face; a pylibsrtp that hides it turns this red."""
    session, client, started, keys = await handshake()
    await started
    assert not isinstance(keys, HandshakeFailed)
    ffi = FFI()
    data = rtp(5)
    packet, length = ffi.new("char[]", 2048), ffi.new("int *", len(data))
    ffi.memmove(packet, data, len(data))
    sender = keys.sender  # type: ignore[attr-defined]
    assert protect_in_place(sender.pointer, packet, length) == 0
    assert client._rx_srtp.unprotect(ffi.buffer(packet, length[0])[:]) == data  # noqa: SLF001
    assert protect_in_place(sender.pointer, packet, length) != 0, "a number used before"
    await session.close()
    await client.stop()


async def test_a_number_cannot_be_sent_twice() -> None:
    """`allow_repeat_tx` is off: libsrtp itself is the last guard of the nonce rule."""
    session, client, started, keys = await handshake()
    await started
    keys.sender.protect(rtp(5, payload=b"one"))  # type: ignore[attr-defined]
    with pytest.raises(SrtpError, match="replay"):
        keys.sender.protect(rtp(5, payload=b"two"))  # type: ignore[attr-defined]
    await session.close()
    await client.stop()


async def test_another_certificate_gets_no_keys() -> None:
    """The fingerprint of the offer is checked (RFC 8122): a man in the middle stays outside."""
    session, client, started, keys = await handshake(":".join(["00"] * 32))
    assert isinstance(keys, HandshakeFailed)
    started.cancel()
    await session.close()
    await client.stop()


def test_reports_pass_both_ways() -> None:
    """What one side protects the other reads, once; and neither takes more than there is room for."""
    profile = Policy.SRTP_PROFILE_AEAD_AES_128_GCM
    here, there = SrtpPair(b"u" * 28, b"d" * 28, profile), SrtpPair(b"d" * 28, b"u" * 28, profile)
    report = bytes([0x80, 201, 0, 1, 0, 0, 0, 7]) + bytes(1_200)
    sent = here.protect_rtcp(report)
    assert report not in sent
    assert there.unprotect_rtcp(sent) == report
    with pytest.raises(SrtpError):
        there.unprotect_rtcp(sent)
    with pytest.raises(ValueError, match="1408"):
        here.protect_rtcp(report + bytes(200))
    with pytest.raises(ValueError, match="1608"):
        there.unprotect_rtcp(report + bytes(400))
