# SPDX-License-Identifier: Apache-2.0
"""A headless WebRTC peer: real ICE, DTLS and SRTP, prepared media out, counted media in; nothing is decoded.

What is lost is asked for and sent again (NACK, RTX), what comes is reported (receiver reports, transport-wide
feedback), and on a narrow uplink the larger layers are left out: as a browser behaves, at a fraction of its cost.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import time
from collections.abc import Callable
from typing import Final

from aiortc.rtp import (
    RTCP_PSFB_FIR,
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    RtcpPacket,
    RtcpPsfbPacket,
    RtcpRtpfbPacket,
    RtcpSrPacket,
)
from msgspec.structs import replace

from loadtest.camera import Camera, Numbers, VideoStream
from loadtest.clip import Clip, Signatures
from loadtest.dtls import SecureChannel
from loadtest.feedback import TRANSPORT_FEEDBACK, LineReports, missing, picture_lost, split
from loadtest.ice import Address, IceClient
from loadtest.offer import CAMERA_MID, MICROPHONE_MID, Local, build_offer, read_answer
from loadtest.pacer import Pacer
from loadtest.receiver import Kind, Reception
from loadtest.rtp import numbered
from loadtest.sender import AudioStream, Voice
from loadtest.transport_cc import FORMAT, read_feedback
from loadtest.uplink import Uplink

REPORT_EVERY_S: Final = 1.0
REPAIR_EVERY_S: Final = 0.02
FEEDBACK_EVERY: Final = 4
"""Steps of repair between two transport-wide feedbacks."""
FIRST_WAIT_MS: Final = 100.0
"""Before the round trip is known: how long to wait before asking again."""
CONNECT_TIMEOUT_S: Final = 15.0
_FIR_ENTRY_BYTES: Final = 8


class Peer:
    """One peer connection with a microphone, a camera, a reserved screen line and `slots` receive slots.

    Microphone and camera are off until they are turned on. A clip with layers is sent as simulcast; `red`: sound is
    sent twice (RFC 2198) where the other side takes it. `signatures` are those of the clips that may be heard here.
    `on_lost` is called once, when the path or the other side is gone.
    """

    def __init__(self, clip: Clip, pacer: Pacer, *, signatures: Signatures, slots: int = 12, red: bool = False) -> None:
        self.clip = clip
        self.reception = Reception({}, signatures)
        self._pacer = pacer
        self._slots = slots
        self._red = red
        self.on_lost: Callable[[], None] = _nothing
        self._signatures = signatures
        self._loop = asyncio.get_running_loop()
        self._cname = secrets.token_hex(8)
        self._ice = IceClient(self._datagram, self._lost)
        self._channel = SecureChannel(self._ice.send, self._packet)
        self._ssrc = _ssrc()
        self._audio = AudioStream(self._send, _ssrc(), MICROPHONE_MID, clip)
        self.camera = Camera(tuple(VideoStream(self._send, _numbers(), CAMERA_MID, movie) for movie in clip.video))
        self._steps = (self._audio.step, *(stream.step for stream in self.camera.streams), self._repair, self._report)
        self.uplink = Uplink(tuple(movie.form.bit_rate for movie in clip.video))
        self._numbered = False
        self._reports = LineReports()
        self._repairs = 0
        self._closed = False

    @property
    def keyframes_asked(self) -> int:
        """How often a keyframe was requested from this peer."""
        return self.camera.keyframes_asked

    @property
    def packets_sent(self) -> tuple[int, int]:
        """Audio and video packets sent so far."""
        return self._audio.packets, self.camera.packets

    @property
    def spoken(self) -> tuple[float, ...]:
        """When something loud was sent, of late, by the event loop's clock (s)."""
        return tuple(self._audio.spoken)

    def offer(self) -> str:
        """The SDP offer; to be answered once."""
        first = self.camera.streams[0]
        local = Local(
            ufrag=self._ice.ufrag,
            pwd=self._ice.pwd,
            fingerprint=self._channel.fingerprint,
            microphone=self._audio.ssrc,
            camera=Numbers(first.ssrc, first.rtx_ssrc),
            screen=_numbers(),
            rids=tuple(movie.form.rid for movie in self.clip.video if movie.form.rid),
            red=self._red,
        )
        return build_offer(local, self._slots, self._cname)

    async def connect(self, answer: str, *, through: Address | None = None, port: socket.socket | None = None) -> None:
        """Connect as the answer says, or `through` another address, and from this UDP socket if there is one.

        Raises TimeoutError, BadAnswer or HandshakeFailed.
        """
        described = read_answer(answer)
        remote = described.remote if through is None else replace(described.remote, candidates=(through,))
        self.reception = Reception(described.lines, self._signatures, described.repairs)
        self._numbered = described.numbered
        self._audio.redundant = described.red and self._red
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            await self._ice.connect(remote, port)
            await self._channel.connect(described.fingerprint, self._lost)
        for step in self._steps:
            self._pacer.add(step, REPORT_EVERY_S / 10 if step == self._report else 0.0)

    def speak(self, voice: Voice | None) -> None:
        """What the microphone sends from now on; None: it is off."""
        self._audio.voice = voice

    def show(self, *, on: bool) -> None:
        """Turn the camera on or off; it starts with a keyframe."""
        self.camera.show(on=on)

    async def close(self) -> None:
        """Stop sending, say goodbye, give the port back."""
        self._closed = True
        for step in self._steps:
            self._pacer.remove(step)
        await self._channel.close()
        await self._ice.close()

    def _lost(self) -> None:
        if not self._closed:
            self._closed = True
            self.on_lost()

    def _send(self, packet: bytes) -> None:
        if self._numbered:
            packet = numbered(packet, self.uplink.number(len(packet), time.monotonic_ns()))
        self._channel.send_rtp(packet)

    def _datagram(self, data: bytes) -> None:
        self._channel.receive(data)

    def _packet(self, data: bytes, is_rtcp: bool) -> None:  # noqa: FBT001 - the channel's callback
        if is_rtcp:
            self._feedback(data)
        else:
            self.reception.receive(data, time.monotonic())

    def _feedback(self, data: bytes) -> None:
        try:
            for kind, form, packet in split(data):
                if (kind, form) == (TRANSPORT_FEEDBACK, FORMAT):
                    self.uplink.feedback(read_feedback(packet), time.monotonic_ns())
                else:
                    for parsed in RtcpPacket.parse(packet):
                        self._heed(parsed)
        except ValueError:
            self.reception.strays += 1

    def _heed(self, packet: object) -> None:
        match packet:
            case RtcpPsfbPacket(fmt=fmt, media_ssrc=ssrc) if fmt == RTCP_PSFB_PLI:
                self._ask_keyframe(ssrc)
            case RtcpPsfbPacket(fmt=fmt, fci=entries) if fmt == RTCP_PSFB_FIR:
                for at in range(0, len(entries), _FIR_ENTRY_BYTES):
                    self._ask_keyframe(int.from_bytes(entries[at : at + 4], "big"))
            case RtcpRtpfbPacket(fmt=fmt, media_ssrc=ssrc, lost=lost) if fmt == RTCP_RTPFB_NACK:
                stream = self.camera.stream(ssrc)
                if stream is not None:
                    stream.resend(lost)
            case RtcpSrPacket():
                self._reports.sender_report(packet.ssrc, packet.sender_info.ntp_timestamp, self._loop.time())
            case _:
                pass

    def _ask_keyframe(self, ssrc: int) -> None:
        stream = self.camera.stream(ssrc)
        if stream is not None:
            stream.ask_keyframe()

    def _repair(self, now_s: float) -> float:
        """Ask for what is missing, tell what came, and keep to what the uplink bears."""
        now_ms, wait_ms = now_s * 1_000, max(FIRST_WAIT_MS / 2, self.uplink.round_trip_ns / 1e6)
        for line in self.reception.of_kind(Kind.VIDEO):
            sequences = line.sequences.due(now_ms, 1.2 * wait_ms)
            if sequences:
                self._channel.send_rtcp(missing(self._ssrc, line.ssrc, sequences))
            if line.pictures.wants_keyframe(now_ms):
                self._channel.send_rtcp(picture_lost(self._ssrc, line.ssrc))
        self._repairs += 1
        if self._repairs % FEEDBACK_EVERY == 0:
            feedback = self.reception.transport.feedback(self._ssrc, 0)
            if feedback:
                self._channel.send_rtcp(feedback)
        self.camera.limit(self.uplink.allowed)
        return now_s + REPAIR_EVERY_S

    def _report(self, now_s: float) -> float:
        for stream in (self._audio, *self.camera.streams):
            report = stream.report(now_s, self._cname)
            if report:
                self._channel.send_rtcp(report)
        about = self._reports.build(self._ssrc, iter(self.reception.lines.values()), now_s)
        if about:
            self._channel.send_rtcp(about)
        return now_s + REPORT_EVERY_S


def _nothing() -> None:
    pass


def _ssrc() -> int:
    return secrets.randbelow(0xFFFFFFFF) + 1


def _numbers() -> Numbers:
    return Numbers(_ssrc(), _ssrc())
