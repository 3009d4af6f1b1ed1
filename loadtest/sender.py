# SPDX-License-Identifier: Apache-2.0
"""RTP of prepared sound, and what all streams share: sequence and time go on without a break, whatever is sent."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import Final

from aiortc.clock import current_ntp_time
from aiortc.rtp import RtcpSdesPacket, RtcpSenderInfo, RtcpSourceInfo, RtcpSrPacket

from loadtest.clip import Clip
from loadtest.rtp import (
    AUDIO_PAYLOAD_TYPE,
    HEADER,
    LEVEL_ID,
    MARKER,
    MID_ID,
    RED_PAYLOAD_TYPE,
    WITH_EXTENSION,
    extension_block,
)
from loadtest.voice import PACKET_SAMPLES, SAMPLE_RATE, Sound

Send = Callable[[bytes], None]

_VOICE: Final = 0x80
_SPEECH_LEVEL: Final = 60
"""Louder than this (a smaller number) is announced as voice, RFC 6464 section 3."""
_SPOKEN: Final = 250
"""Packets: five seconds of speech."""
_TOO_LATE_S: Final = 0.25
"""After a longer standstill of the process what is due is left out, not sent in a burst."""


class Voice(Enum):
    """What an open microphone sends."""

    SPEECH = "speech"
    STEADY = "steady"
    QUIET = "quiet"


class Stream(ABC):
    """One RTP stream in real time. `step` is what a `Pacer` calls; nothing is sent while the source is off."""

    def __init__(self, send: Send, ssrc: int, clock_rate: int, per_second: int) -> None:
        self._send = send
        self.ssrc = ssrc
        self._clock_rate = clock_rate
        self._per_second = per_second
        self._started_s: float | None = None
        self._now_s = 0.0
        self._index = 0
        self._timestamp = random.getrandbits(32)
        self._sequence = random.getrandbits(15)
        self.packets = 0
        self.octets = 0

    def step(self, now_s: float) -> float:
        """Send what is due now."""
        if self._started_s is None:
            self._started_s = now_s
        self._now_s = now_s
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

    @abstractmethod
    def _send_due(self, timestamp: int) -> None:
        """Send what this stream has for the present moment, if it is on."""

    def _packet(self, second_octet: int, timestamp: int, extension: bytes, payload: bytes) -> None:
        header = HEADER.pack(WITH_EXTENSION, second_octet, self._sequence, timestamp, self.ssrc)
        packet = header + extension + payload
        self._keep(self._sequence, packet)
        self._sequence = self._sequence + 1 & 0xFFFF
        self.packets += 1
        self.octets += len(payload)
        self._send(packet)

    def _keep(self, sequence: int, packet: bytes) -> None:  # noqa: B027 - a voice is not asked for again
        """For those who will be asked for it again."""


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
        self.redundant = False
        """Whether each packet also has the sound of the one before it (RED, RFC 2198)."""
        self.spoken: deque[float] = deque(maxlen=_SPOKEN)
        """When the last packets that are voice were sent (s)."""
        self._before = b""
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
        marker = MARKER if self._at == 0 else 0
        before, self._before = self._before if self._at else b"", sound.payload
        self._at += 1
        extension = self._extensions[sound.level]
        if sound.level < _SPEECH_LEVEL:
            self.spoken.append(self._now_s)
        if self.redundant:
            self._packet(marker | RED_PAYLOAD_TYPE, timestamp, extension, _red(before, sound.payload))
        else:
            self._packet(marker | AUDIO_PAYLOAD_TYPE, timestamp, extension, sound.payload)


def _red(before: bytes, now: bytes) -> bytes:
    """The sound of two packets in one, RFC 2198 section 3."""
    if not before or len(before) >= 1 << 10:
        return bytes([AUDIO_PAYLOAD_TYPE]) + now
    head = 0x80 << 24 | AUDIO_PAYLOAD_TYPE << 24 | PACKET_SAMPLES << 10 | len(before)
    return head.to_bytes(4, "big") + bytes([AUDIO_PAYLOAD_TYPE]) + before + now


def _extension(mid: str, level: int) -> bytes:
    """MID (RFC 9143) and level (RFC 6464)."""
    return extension_block(
        (MID_ID, mid.encode()), (LEVEL_ID, bytes([level | (_VOICE if level < _SPEECH_LEVEL else 0)]))
    )
