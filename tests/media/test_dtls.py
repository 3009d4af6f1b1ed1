# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from functools import partial
from typing import Final

import pytest
from aiortc.rtcdtlstransport import RTCCertificate, RTCDtlsParameters, RTCDtlsTransport, SRTPProtectionProfile
from cffi import FFI
from OpenSSL import SSL
from pylibsrtp import Policy

from server.media.dtls import (
    MOST_STREAMS,
    PRIVATE_NAMES,
    Certificate,
    DtlsSession,
    HandshakeFailed,
    SrtpError,
    SrtpPair,
    make_sender,
    protect_in_place,
)
from server.media.dtls_records import MAX_RECORDS, MAX_REPEATS, Heard, Records
from server.media.rtcp import receiver_report
from tests.media.packets import rtp
from tests.media.peer import ClientWire, sha256_of
from tests.media.waiting import until


def test_the_private_names_of_aiortc_are_there() -> None:
    """What we reach into exists under these names; a new aiortc that moves them turns this red."""
    certificate = Certificate()
    for name in PRIVATE_NAMES:
        assert hasattr(certificate.rtc, name), name


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
    session.close()
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
    session.close()
    await client.stop()


async def test_a_number_cannot_be_sent_twice() -> None:
    """`allow_repeat_tx` is off: libsrtp itself is the last guard of the nonce rule."""
    session, client, started, keys = await handshake()
    await started
    keys.sender.protect(rtp(5, payload=b"one"))  # type: ignore[attr-defined]
    with pytest.raises(SrtpError, match="replay"):
        keys.sender.protect(rtp(5, payload=b"two"))  # type: ignore[attr-defined]
    session.close()
    await client.stop()


async def test_another_certificate_gets_no_keys() -> None:
    """The fingerprint of the offer is checked (RFC 8122): a man in the middle stays outside."""
    session, client, started, keys = await handshake(":".join(["00"] * 32))
    assert isinstance(keys, HandshakeFailed)
    started.cancel()
    session.close()
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


def test_one_connection_has_so_many_streams() -> None:
    """Those that were heard go on; forgeries do not count, and more SSRCs than any client needs are not taken."""
    profile = Policy.SRTP_PROFILE_AEAD_AES_128_GCM
    here = SrtpPair(b"u" * 28, b"d" * 28, profile)
    stranger = make_sender(b"x" * 28, profile)
    for ssrc in range(1, 1_000):
        with pytest.raises(SrtpError):
            here.unprotect(stranger.protect(rtp(1, ssrc=ssrc, payload_type=96, payload=b"x")))
    there = SrtpPair(b"d" * 28, b"u" * 28, profile)
    streams = range(1, MOST_STREAMS + 1)
    for ssrc in streams[::2]:
        here.unprotect(there.sender.protect(rtp(1, ssrc=ssrc, payload_type=96, payload=b"x")))
    for ssrc in streams[1::2]:
        here.unprotect_rtcp(there.protect_rtcp(receiver_report(ssrc, [])))
    with pytest.raises(SrtpError):
        here.unprotect(there.sender.protect(rtp(1, ssrc=MOST_STREAMS + 1, payload_type=96, payload=b"x")))
    with pytest.raises(SrtpError):
        here.unprotect_rtcp(there.protect_rtcp(receiver_report(MOST_STREAMS + 2, [])))
    for ssrc in streams:
        here.unprotect(there.sender.protect(rtp(2, ssrc=ssrc, payload_type=96, payload=b"x")))


class Overheard:
    """A handshake in memory of which the datagrams of both sides are kept, and one is `lost`, counted from 0."""

    def __init__(self, suite: bytes | None = None, lost: int | None = None) -> None:
        self._lost = lost
        self.ours = Certificate()
        self.said: list[bytes] = []
        self.answered: list[bytes] = []
        self.closed = asyncio.Event()
        theirs = RTCCertificate.generateCertificate()
        if suite is not None:
            make = theirs._create_ssl_context  # noqa: SLF001
            theirs._create_ssl_context = partial(_limited, make, suite)  # type: ignore[method-assign]  # noqa: SLF001
        self.wire = ClientWire(self._say)
        self.client = RTCDtlsTransport(self.wire, [theirs])  # type: ignore[arg-type]
        self.client._set_role("client")  # noqa: SLF001
        self.session = DtlsSession(self.ours, sha256_of(theirs), self._answer)

    def _say(self, data: bytes) -> None:
        self.said.append(data)
        if not self._loses():
            self.session.receive(data)

    def _answer(self, data: bytes) -> None:
        self.answered.append(data)
        if not self._loses():
            self.wire.put(data)

    def _loses(self) -> bool:
        return len(self.said) + len(self.answered) - 1 == self._lost

    async def connect(self) -> SrtpPair:
        """Both sides are connected afterwards."""
        parameters = RTCDtlsParameters(fingerprints=self.ours.rtc.getFingerprints())
        _, keys = await asyncio.gather(self.client.start(parameters), self.session.handshake(self.closed.set))
        assert self.client.state == "connected"
        return keys


def _limited(make: Callable[..., SSL.Context], suite: bytes, srtp_profiles: list[SRTPProtectionProfile]) -> SSL.Context:
    context = make(srtp_profiles)
    context.set_cipher_list(suite)
    return context


async def test_each_datagram_of_a_handshake_may_be_lost() -> None:
    """Whichever it is, of either side: it is sent again after a second."""
    smooth = Overheard()
    await smooth.connect()
    count = len(smooth.said) + len(smooth.answered)
    lossy = [Overheard(lost=lost) for lost in range(count)]
    async with asyncio.timeout(10):
        await asyncio.gather(*(both.connect() for both in lossy))
    assert all(len(both.said) + len(both.answered) > count for both in lossy)
    for both in (smooth, *lossy):
        both.session.close()
        await both.client.stop()


async def test_who_begins_again_is_answered_again() -> None:
    """At once, with the very same flight, a few times at the most: a browser that asks again has lost our answer."""
    both = Overheard(lost=1)
    connected = asyncio.create_task(both.connect())
    await until(lambda: both.answered)
    assert len(both.said) == len(both.answered) == 1
    both.session.receive(both.said[0])
    async with asyncio.timeout(10):
        await connected
    assert both.answered[1] == both.answered[0]
    both.session.close()
    await both.client.stop()

    alone = Overheard()
    handshake = asyncio.create_task(alone.session.handshake(alone.closed.set))
    for _ in range(2 * MAX_REPEATS):
        alone.session.receive(both.said[0])
    await until(lambda: len(alone.answered) > MAX_REPEATS)
    await asyncio.sleep(0.05)
    assert alone.answered == [alone.answered[0]] * (1 + MAX_REPEATS)
    handshake.cancel()


SUITES: Final = (None, b"ECDHE-ECDSA-CHACHA20-POLY1305")
"""What we do ourselves after the handshake, and what OpenSSL goes on with."""


@pytest.mark.parametrize("suite", SUITES)
async def test_a_goodbye_is_heard(suite: bytes | None) -> None:
    """A client that closes its connection is gone at once, not when its consent expires."""
    both = Overheard(suite)
    await both.connect()
    assert not both.closed.is_set()
    await both.client.stop()
    await asyncio.wait_for(both.closed.wait(), 5)
    before = len(both.answered)
    both.session.close()
    assert len(both.answered) == before, "who is gone is told nothing"


@pytest.mark.parametrize("suite", SUITES)
async def test_a_goodbye_is_said_once(suite: bytes | None) -> None:
    """The client's own DTLS reads our goodbye and closes."""
    both = Overheard(suite)
    await both.connect()
    left = asyncio.Event()
    both.client.on("statechange", left.set)
    both.session.close()
    both.session.close()
    await asyncio.wait_for(left.wait(), 5)
    assert both.client.state == "closed"
    assert not both.closed.is_set(), "we left ourselves"
    assert sum(data[0] == 21 for data in both.answered) == 1


@pytest.mark.parametrize("suite", SUITES)
async def test_a_lost_last_flight_is_sent_again(suite: bytes | None) -> None:
    """A client that did not hear our Finished says its own again, and gets ours, a few times at the most."""
    both = Overheard(suite)
    await both.connect()
    finished = next(data for data in reversed(both.said) if b"\x16\xfe\xfd\x00\x01" in data)
    last = both.answered[-1]
    both.answered.clear()
    for _ in range(20):
        both.session.receive(finished)
    if suite is None:
        assert both.answered == [last] * MAX_REPEATS
    else:
        assert both.answered == [], "OpenSSL knows a datagram that it has seen"
    both.session.close()
    await both.client.stop()


def test_a_datagram_full_of_records_costs_no_more_than_a_few() -> None:
    """Each has to be tried with the keys; what is behind a handful of forged ones is not looked at."""
    flight = (bytes([22, 0xFE, 0xFD, 0, 1, *bytes(6), 0, 40]) + bytes(40),)
    here, there = (Records(b"secret", b"client", b"server", flight) for _ in range(2))
    there._write_key, there._write_salt = there._read_key, there._read_salt  # noqa: SLF001 - it plays the client
    goodbye = there.goodbye()
    forged = goodbye[:-1] + bytes([goodbye[-1] ^ 1])
    assert here.heard(forged * MAX_RECORDS + goodbye) is Heard.NOTHING
    assert here.heard(forged * (MAX_RECORDS - 1) + goodbye) is Heard.GOODBYE


async def test_nobody_else_can_say_goodbye() -> None:
    """Alerts that are forged, in the clear or cut short change nothing."""
    both = Overheard()
    await both.connect()
    await both.client.stop()
    goodbye = both.said[-1]
    other = Overheard()
    await other.connect()
    clear = bytes((21, 0xFE, 0xFD)) + bytes(8) + bytes((0, 2, 1, 0))
    for data in (goodbye, clear, *(goodbye[:length] for length in range(20, len(goodbye)))):
        other.session.receive(data)
    await asyncio.sleep(0)
    assert not other.closed.is_set()
    other.session.close()
    await other.client.stop()


async def test_an_association_keeps_little() -> None:
    """After the handshake OpenSSL's object is gone, which is most of what a silent participant would cost."""
    both = Overheard()
    alive = weakref.ref(both.session._connection)  # noqa: SLF001
    await both.connect()
    assert alive() is None
    both.session.close()
    await both.client.stop()
