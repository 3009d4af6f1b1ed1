# SPDX-License-Identifier: Apache-2.0
"""A headless WebRTC peer: real ICE, DTLS and SRTP, prepared media out, counted media in; nothing is decoded."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Final

from aiortc.rtp import RTCP_PSFB_FIR, RTCP_PSFB_PLI, RtcpPacket, RtcpPsfbPacket

from loadtest.clip import Clip, Signatures
from loadtest.dtls import SecureChannel
from loadtest.ice import IceClient
from loadtest.offer import CAMERA_MID, MICROPHONE_MID, Local, build_offer, read_answer
from loadtest.pacer import Pacer
from loadtest.receiver import Reception
from loadtest.sender import AudioStream, VideoStream, Voice

REPORT_EVERY_S: Final = 1.0
CONNECT_TIMEOUT_S: Final = 15.0


class Peer:
    """One peer connection with a microphone, a camera, a reserved screen line and `slots` receive slots.

    Microphone and camera are off until they are turned on. `signatures` are those of the clips that may be heard
    here. `on_lost` is called once, when the path or the other side is gone.
    """

    def __init__(self, clip: Clip, pacer: Pacer, *, signatures: Signatures, slots: int = 12) -> None:
        self.clip = clip
        self.reception = Reception({}, signatures)
        self._pacer = pacer
        self._slots = slots
        self.on_lost: Callable[[], None] = _nothing
        self._signatures = signatures
        self._loop = asyncio.get_running_loop()
        self._cname = secrets.token_hex(8)
        self._ice = IceClient(self._datagram, self._lost)
        self._channel = SecureChannel(self._ice.send, self._packet)
        self._audio = AudioStream(self._channel.send_rtp, _ssrc(), MICROPHONE_MID, clip)
        self._video = VideoStream(self._channel.send_rtp, _ssrc(), CAMERA_MID, clip)
        self._closed = False

    @property
    def keyframes_asked(self) -> int:
        """How often a keyframe was requested from this peer."""
        return self._video.keyframes_asked

    @property
    def packets_sent(self) -> tuple[int, int]:
        """Audio and video packets sent so far."""
        return self._audio.packets, self._video.packets

    def offer(self) -> str:
        """The SDP offer; to be answered once."""
        local = Local(
            ufrag=self._ice.ufrag,
            pwd=self._ice.pwd,
            fingerprint=self._channel.fingerprint,
            microphone=self._audio.ssrc,
            camera=self._video.ssrc,
            screen=_ssrc(),
        )
        return build_offer(local, self._slots, self._cname)

    async def connect(self, answer: str) -> None:
        """Connect as the answer says. Raises TimeoutError, BadAnswer or HandshakeFailed."""
        described = read_answer(answer)
        self.reception = Reception(described.lines, self._signatures)
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            await self._ice.connect(described.remote)
            await self._channel.connect(described.fingerprint, self._lost)
        for step in (self._audio.step, self._video.step):
            self._pacer.add(step)
        self._pacer.add(self._report, REPORT_EVERY_S / 10)

    def speak(self, voice: Voice | None) -> None:
        """What the microphone sends from now on; None: it is off."""
        self._audio.voice = voice

    def show(self, *, on: bool) -> None:
        """Turn the camera on or off; it starts with a keyframe."""
        self._video.on = on

    async def close(self) -> None:
        """Stop sending, say goodbye, give the port back."""
        self._closed = True
        for step in (self._audio.step, self._video.step, self._report):
            self._pacer.remove(step)
        await self._channel.close()
        await self._ice.close()

    def _lost(self) -> None:
        if not self._closed:
            self._closed = True
            self.on_lost()

    def _datagram(self, data: bytes) -> None:
        self._channel.receive(data)

    def _packet(self, data: bytes, is_rtcp: bool) -> None:  # noqa: FBT001 - the channel's callback
        if is_rtcp:
            self._feedback(data)
        else:
            self.reception.receive(data, self._loop.time())

    def _feedback(self, data: bytes) -> None:
        try:
            packets = RtcpPacket.parse(data)
        except ValueError:
            self.reception.strays += 1
            return
        for packet in packets:
            if isinstance(packet, RtcpPsfbPacket) and packet.fmt in (RTCP_PSFB_PLI, RTCP_PSFB_FIR):
                self._video.ask_keyframe()

    def _report(self, now_s: float) -> float:
        for stream in (self._audio, self._video):
            report = stream.report(now_s, self._cname)
            if report:
                self._channel.send_rtcp(report)
        return now_s + REPORT_EVERY_S


def _nothing() -> None:
    pass


def _ssrc() -> int:
    return secrets.randbelow(0xFFFFFFFF) + 1
