# SPDX-License-Identifier: Apache-2.0
"""RTP of prepared clips: sequence, time and picture id go on without a break, whatever is being sent."""

from __future__ import annotations

import random
from collections.abc import Callable
from enum import Enum
from struct import Struct as Layout
from typing import Final

from aiortc.clock import current_ntp_time
from aiortc.rtp import RtcpSdesPacket, RtcpSenderInfo, RtcpSourceInfo, RtcpSrPacket

from loadtest.clip import Clip, Frame
from loadtest.picture import FRAMES_PER_SECOND
from loadtest.voice import PACKET_SAMPLES, SAMPLE_RATE, Sound

LEVEL_ID: Final = 1
MID_ID: Final = 4
AUDIO_PAYLOAD_TYPE: Final = 111
VIDEO_PAYLOAD_TYPE: Final = 96
VIDEO_CLOCK_RATE: Final = 90_000

Send = Callable[[bytes], None]

_HEADER: Final = Layout("!BBHII")
_DESCRIPTOR: Final = Layout("!BBH")
_WITH_EXTENSION: Final = 0x90
_MARKER: Final = 0x80
_VOICE: Final = 0x80
_SPEECH_LEVEL: Final = 60
"""Louder than this (a smaller number) is announced as voice, RFC 6464 section 3."""
_TOO_LATE_S: Final = 0.25
"""After a longer standstill of the process what is due is left out, not sent in a burst."""


class Voice(Enum):
    """What an open microphone sends."""

    SPEECH = "speech"
    STEADY = "steady"
    QUIET = "quiet"


class Stream:
    """One RTP stream in real time. `step` is what a `Pacer` calls; nothing is sent while the source is off."""

    def __init__(self, send: Send, ssrc: int, clock_rate: int, per_second: int) -> None:
        self._send = send
        self.ssrc = ssrc
        self._clock_rate = clock_rate
        self._per_second = per_second
        self._started_s: float | None = None
        self._index = 0
        self._timestamp = random.getrandbits(32)
        self._sequence = random.getrandbits(15)
        self.packets = 0
        self.octets = 0

    def step(self, now_s: float) -> float:
        """Send what is due now."""
        if self._started_s is None:
            self._started_s = now_s
        missed = int((now_s - self._due_s()) * self._per_second)
        if missed > _TOO_LATE_S * self._per_second:
            self._index += missed
        self._send_due(self._timestamp_of(self._index))
        self._index += 1
        return self._due_s()

    def report(self, now_s: float, cname: str) -> bytes:
        """A sender report with its CNAME (RFC 3550 sections 6.4.1 and 6.5); empty before the first packet."""
        if self._started_s is None or self.packets == 0:
            return b""
        info = RtcpSenderInfo(
            ntp_timestamp=current_ntp_time(),
            rtp_timestamp=self._timestamp + round((now_s - self._started_s) * self._clock_rate) & 0xFFFFFFFF,
            packet_count=self.packets & 0xFFFFFFFF,
            octet_count=self.octets & 0xFFFFFFFF,
        )
        description = RtcpSourceInfo(ssrc=self.ssrc, items=[(1, cname.encode())])
        return bytes(RtcpSrPacket(ssrc=self.ssrc, sender_info=info)) + bytes(RtcpSdesPacket(chunks=[description]))

    def _due_s(self) -> float:
        return (self._started_s or 0.0) + self._index / self._per_second

    def _timestamp_of(self, index: int) -> int:
        return self._timestamp + index * self._clock_rate // self._per_second & 0xFFFFFFFF

    def _send_due(self, timestamp: int) -> None:
        raise NotImplementedError

    def _packet(self, second_octet: int, timestamp: int, extension: bytes, payload: bytes) -> None:
        header = _HEADER.pack(_WITH_EXTENSION, second_octet, self._sequence, timestamp, self.ssrc)
        self._sequence = self._sequence + 1 & 0xFFFF
        self.packets += 1
        self.octets += len(payload)
        self._send(header + extension + payload)


class AudioStream(Stream):
    """A microphone."""

    def __init__(self, send: Send, ssrc: int, mid: str, clip: Clip) -> None:
        super().__init__(send, ssrc, SAMPLE_RATE, SAMPLE_RATE // PACKET_SAMPLES)
        self._sounds: dict[Voice, tuple[Sound, ...]] = {
            Voice.SPEECH: clip.speech,
            Voice.STEADY: clip.steady,
            Voice.QUIET: clip.quiet,
        }
        self._extensions = [_extension(mid, level) for level in range(128)]
        self._at = 0
        self._voice: Voice | None = None

    @property
    def voice(self) -> Voice | None:
        """What is being sent; None: the microphone is off."""
        return self._voice

    @voice.setter
    def voice(self, voice: Voice | None) -> None:
        if voice is not self._voice:
            self._voice, self._at = voice, 0

    def _send_due(self, timestamp: int) -> None:
        if self._voice is None:
            return
        sounds = self._sounds[self._voice]
        sound = sounds[self._at % len(sounds)]
        # The first packet after silence has the marker bit, RFC 3551 section 4.1.
        marker = _MARKER if self._at == 0 else 0
        self._at += 1
        self._packet(marker | AUDIO_PAYLOAD_TYPE, timestamp, self._extensions[sound.level], sound.payload)


class VideoStream(Stream):
    """A camera. A keyframe that was asked for is the very next picture."""

    def __init__(self, send: Send, ssrc: int, mid: str, clip: Clip) -> None:
        super().__init__(send, ssrc, VIDEO_CLOCK_RATE, FRAMES_PER_SECOND)
        self._frames = clip.video
        self._extension = _extension(mid, None)
        self._at = 0
        self._picture_id = random.getrandbits(15)
        self._keyframe_wanted = True
        self._on = False
        self.keyframes_asked = 0

    @property
    def on(self) -> bool:
        """Whether pictures are being sent."""
        return self._on

    @on.setter
    def on(self, on: bool) -> None:
        self._keyframe_wanted |= on and not self._on
        self._on = on

    def ask_keyframe(self) -> None:
        """A receiver needs a picture that stands for itself (PLI or FIR)."""
        self.keyframes_asked += 1
        self._keyframe_wanted = True

    def _send_due(self, timestamp: int) -> None:
        if not self._on:
            return
        if self._keyframe_wanted:
            self._at = _next_keyframe(self._frames, self._at)
            self._keyframe_wanted = False
        frame = self._frames[self._at % len(self._frames)]
        self._at += 1
        last = len(frame.chunks) - 1
        for index, chunk in enumerate(frame.chunks):
            marker = _MARKER if index == last else 0
            descriptor = _DESCRIPTOR.pack(0x90 if index == 0 else 0x80, 0x80, 0x8000 | self._picture_id)
            self._packet(marker | VIDEO_PAYLOAD_TYPE, timestamp, self._extension, descriptor + chunk)
        self._picture_id = self._picture_id + 1 & 0x7FFF


def _next_keyframe(frames: tuple[Frame, ...], at: int) -> int:
    return next(index for index in range(at, at + len(frames)) if frames[index % len(frames)].keyframe)


def _extension(mid: str, level: int | None) -> bytes:
    """MID (RFC 9143) and, for audio, the level (RFC 6464) in the one-byte form of RFC 8285 section 4.2."""
    body = bytes([MID_ID << 4 | len(mid) - 1]) + mid.encode()
    if level is not None:
        body += bytes([LEVEL_ID << 4, level | (_VOICE if level < _SPEECH_LEVEL else 0)])
    body += bytes(-len(body) % 4)
    return b"\xbe\xde" + (len(body) // 4).to_bytes(2, "big") + body
