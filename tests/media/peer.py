# SPDX-License-Identifier: Apache-2.0
"""A client of the media plane that can misbehave: own UDP socket, ICE checks, DTLS by aiortc, packets as it likes."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Any, cast

from aioice import stun
from aiortc.rtcdtlstransport import RTCCertificate, RTCDtlsFingerprint, RTCDtlsParameters, RTCDtlsTransport
from aiortc.rtp import AnyRtcpPacket, RtcpPacket, is_rtcp
from aiortc.sdp import SessionDescription

from server.media.ice import Address
from server.media.rtp import Packet
from tests.media.offers import CAMERA_SSRC, LEVEL_ID, MICROPHONE_SSRC, OPUS, VP8, make_offer
from tests.media.packets import rtp


def sha256_of(certificate: RTCCertificate) -> str:
    """The fingerprint as it stands in an offer."""
    return next(item.value for item in certificate.getFingerprints() if item.algorithm == "sha-256")


class ClientWire:
    """What `RTCDtlsTransport` asks of an ICE transport, on the client's side."""

    role = "controlling"
    state = "completed"

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._out = send

    def put(self, data: bytes) -> None:
        """A datagram for the client."""
        self._queue.put_nowait(data)

    async def _recv(self) -> bytes:
        return await self._queue.get()

    async def _send(self, data: bytes) -> None:
        self._out(data)


class RawPeer(asyncio.DatagramProtocol):
    """One participant. `packets` and `reports` is what it got, decrypted."""

    def __init__(self, name: str, slots: int = 2, *, with_ssrcs: bool = True) -> None:
        self.name = name
        self.certificate = RTCCertificate.generateCertificate()
        self.ufrag, self.pwd = secrets.token_hex(4), secrets.token_hex(16)
        self.offer = make_offer(
            slots, ufrag=self.ufrag, pwd=self.pwd, fingerprint=sha256_of(self.certificate), with_ssrcs=with_ssrcs
        )
        self.packets: list[Packet] = []
        self.reports: list[AnyRtcpPacket] = []
        self.slot_ssrcs: list[tuple[int, int]] = []
        self.arrived = asyncio.Event()
        self._wire = ClientWire(self.send)
        self.dtls: Any = RTCDtlsTransport(self._wire, [self.certificate])  # type: ignore[arg-type]
        self._checked: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sequences: dict[int, int] = {}
        self._transport: asyncio.DatagramTransport | None = None
        self._server: Address = ("", 0)
        self._remote = ("", "")
        self.server_fingerprint = ""

    async def connect(self, answer: str, *, check_again_s: float = 0.1) -> None:
        """Follow the answer: check until answered, then the handshake."""
        media = SessionDescription.parse(answer).media
        self.slot_ssrcs = [
            (audio.ssrc[0].ssrc, video.ssrc[0].ssrc) for audio, video in zip(media[3::2], media[4::2], strict=True)
        ]
        candidate = media[0].ice_candidates[0]
        assert candidate.ip is not None
        self._server = (candidate.ip, candidate.port)
        assert media[0].dtls is not None
        self.take_credentials(answer)
        self.server_fingerprint = media[0].dtls.fingerprints[0].value
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: self, local_addr=(self._server[0], 0))
        self.dtls._set_role("client")  # noqa: SLF001 - as RTCPeerConnection does
        fingerprint = RTCDtlsFingerprint("sha-256", self.server_fingerprint)
        async with asyncio.timeout(10):
            while not self._checked.done():
                self.check()
                await asyncio.wait([self._checked], timeout=check_again_s)
            await self.dtls.start(RTCDtlsParameters(fingerprints=[fingerprint]))
        assert self.dtls.state == "connected"

    def restart_ice(self) -> None:
        """Have new credentials in the next offer."""
        former = self.ufrag, self.pwd
        self.ufrag, self.pwd = secrets.token_hex(4), secrets.token_hex(16)
        for old, new in zip(former, (self.ufrag, self.pwd), strict=True):
            self.offer = self.offer.replace(old, new)

    def take_credentials(self, answer: str) -> None:
        """Check with those of this answer from now on."""
        ice = SessionDescription.parse(answer).media[0].ice
        assert ice is not None
        self._remote = (ice.usernameFragment or "", ice.password or "")

    async def move_network(self) -> None:
        """Go on from another address, as a phone that changes from Wi-Fi to mobile."""
        assert self._transport is not None
        self._transport.abort()
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, local_addr=(self._server[0], 0))

    def check(self) -> None:
        """One ICE check with nomination."""
        request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
        request.attributes["USERNAME"] = f"{self._remote[0]}:{self.ufrag}"
        request.attributes["PRIORITY"] = 1
        request.attributes["ICE-CONTROLLING"] = 1
        request.attributes["USE-CANDIDATE"] = None
        request.add_message_integrity(self._remote[1].encode())
        self.send(bytes(request))

    def send(self, data: bytes) -> None:
        """One datagram to the server, as it is."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(data, self._server)

    def send_packet(self, data: bytes) -> None:
        """One RTP packet, protected."""
        self.send(self.dtls._tx_srtp.protect(data))  # noqa: SLF001

    def send_report(self, data: bytes) -> None:
        """One RTCP packet, protected."""
        self.send(self.dtls._tx_srtp.protect_rtcp(data))  # noqa: SLF001

    def speak(self, payload: bytes, *, level: int = 20, ssrc: int = MICROPHONE_SSRC) -> int:
        """Send the next audio packet; returns its number."""
        sequence = self._next(ssrc)
        extension = [(LEVEL_ID, bytes([level]))]
        self.send_packet(
            rtp(sequence, timestamp=960 * sequence, ssrc=ssrc, payload_type=OPUS, payload=payload, extensions=extension)
        )
        return sequence

    def show(self, payload: bytes, *, ssrc: int = CAMERA_SSRC) -> int:
        """Send the next video packet; returns its number."""
        sequence = self._next(ssrc)
        self.send_packet(rtp(sequence, timestamp=3000 * sequence, ssrc=ssrc, payload_type=VP8, payload=payload))
        return sequence

    def heard(self, slot: int = 0) -> list[bytes]:
        """Payloads received on the audio line of a slot."""
        return [packet.payload for packet in self.packets if packet.ssrc == self.slot_ssrcs[slot][0]]

    def seen(self, slot: int = 0) -> list[Packet]:
        """Packets received on the video line of a slot."""
        return [packet for packet in self.packets if packet.ssrc == self.slot_ssrcs[slot][1]]

    async def until(self, done: Callable[[], bool], seconds: float = 5.0) -> None:
        """Wait until what arrived makes `done` true."""
        async with asyncio.timeout(seconds):
            while not done():
                self.arrived.clear()
                await self.arrived.wait()

    async def close(self, *, say_goodbye: bool = True) -> None:
        """Leave, with or without a word."""
        if say_goodbye:
            await self.dtls.stop()
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of `asyncio.DatagramProtocol`."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:  # noqa: ANN401, ARG002 - as asyncio declares it
        """Part of `asyncio.DatagramProtocol`."""
        if data[0] < 4:
            if not self._checked.done():
                assert stun.parse_message(data).check_message_integrity(self._remote[1].encode())
                self._checked.set_result(None)
        elif data[0] < 64:
            self._wire.put(data)
        elif is_rtcp(data):
            self.reports += RtcpPacket.parse(self.dtls._rx_srtp.unprotect_rtcp(data))  # noqa: SLF001
        else:
            self.packets.append(Packet(self.dtls._rx_srtp.unprotect(data)))  # noqa: SLF001
        self.arrived.set()

    def _next(self, ssrc: int) -> int:
        self._sequences[ssrc] = self._sequences.get(ssrc, 100) + 1
        return self._sequences[ssrc]
