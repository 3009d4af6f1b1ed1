# SPDX-License-Identifier: Apache-2.0
"""RTP of a prepared picture: one stream, or the layers of simulcast, each with what it may be asked for again."""

from __future__ import annotations

import random
from collections.abc import Iterable
from struct import Struct as Layout
from typing import Final

from msgspec import Struct

from loadtest.clip import Frame, Movie
from loadtest.rtp import (
    HEADER,
    MARKER,
    MID_ID,
    REPAIRED_RID_ID,
    RID_ID,
    RTX_PAYLOAD_TYPE,
    VIDEO_CLOCK_RATE,
    VIDEO_PAYLOAD_TYPE,
    extension_block,
)
from loadtest.sender import Send, Stream

_DESCRIPTOR: Final = Layout("!BBH")
_KEPT: Final = 512
"""Packets: more than four seconds of the largest layer."""


class Numbers(Struct, frozen=True):
    """The synchronisation sources of one encoding: its packets, and their retransmissions (RFC 4588)."""

    ssrc: int
    rtx_ssrc: int


class VideoStream(Stream):
    """One encoding of a camera. A keyframe that was asked for is the very next picture."""

    def __init__(self, send: Send, numbers: Numbers, mid: str, movie: Movie) -> None:
        super().__init__(send, numbers.ssrc, VIDEO_CLOCK_RATE, movie.form.frames_per_second)
        self.movie = movie
        self.rtx_ssrc = numbers.rtx_ssrc
        rid, line = movie.form.rid.encode(), (MID_ID, mid.encode())
        self._extension = extension_block(line, *([(RID_ID, rid)] if rid else []))
        self._rtx_extension = extension_block(line, *([(REPAIRED_RID_ID, rid)] if rid else []))
        self._at = 0
        self._picture_id = random.getrandbits(15)
        self._keyframe_wanted = True
        self._on = False
        self._sent: list[bytes] = [b""] * _KEPT
        self._rtx_sequence = random.getrandbits(15)
        self.keyframes_asked = 0
        self.frames = 0
        """Sent so far."""
        self.resent = 0

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

    def resend(self, sequences: Iterable[int]) -> None:
        """Send these packets again as retransmissions, those that are still kept."""
        for sequence in sequences:
            packet = self._sent[sequence % _KEPT]
            if packet and int.from_bytes(packet[2:4], "big") == sequence:
                self._resend(packet)

    def _resend(self, packet: bytes) -> None:
        first, second, sequence, timestamp, _ = HEADER.unpack_from(packet)
        payload_type = (second & MARKER) | RTX_PAYLOAD_TYPE
        header = HEADER.pack(first, payload_type, self._rtx_sequence, timestamp, self.rtx_ssrc)
        original = packet[HEADER.size + len(self._extension) :]
        self._rtx_sequence = self._rtx_sequence + 1 & 0xFFFF
        self.resent += 1
        self._send(header + self._rtx_extension + sequence.to_bytes(2, "big") + original)

    def _keep(self, sequence: int, packet: bytes) -> None:
        self._sent[sequence % _KEPT] = packet

    def _send_due(self, timestamp: int) -> None:
        if not self._on:
            return
        frames = self.movie.frames
        if self._keyframe_wanted:
            self._at = _next_keyframe(frames, self._at)
            self._keyframe_wanted = False
        frame = frames[self._at % len(frames)]
        self._at += 1
        self.frames += 1
        last = len(frame.chunks) - 1
        for index, chunk in enumerate(frame.chunks):
            marker = MARKER if index == last else 0
            descriptor = _DESCRIPTOR.pack(0x90 if index == 0 else 0x80, 0x80, 0x8000 | self._picture_id)
            self._packet(marker | VIDEO_PAYLOAD_TYPE, timestamp, self._extension, descriptor + chunk)
        self._picture_id = self._picture_id + 1 & 0x7FFF


class Camera:
    """All encodings of one picture; `limit` leaves out the largest."""

    def __init__(self, streams: tuple[VideoStream, ...]) -> None:
        self.streams = streams
        self._on = False
        self._allowed = len(streams)

    @property
    def packets(self) -> int:
        """Sent so far, of all encodings."""
        return sum(stream.packets for stream in self.streams)

    @property
    def frames(self) -> dict[str, int]:
        """Frames sent so far, by rid."""
        return {stream.movie.form.rid: stream.frames for stream in self.streams}

    @property
    def keyframes_asked(self) -> int:
        """How often a keyframe was requested, of any encoding."""
        return sum(stream.keyframes_asked for stream in self.streams)

    @property
    def resent(self) -> int:
        """Packets sent again."""
        return sum(stream.resent for stream in self.streams)

    def show(self, *, on: bool) -> None:
        """Turn it on or off; it starts with a keyframe."""
        self._on = on
        self._apply()

    def limit(self, layers: int) -> None:
        """Send only so many of the smallest layers."""
        if layers != self._allowed:
            self._allowed = layers
            self._apply()

    def stream(self, ssrc: int) -> VideoStream | None:
        """The encoding whose packets (not their retransmissions) have this number."""
        return next((stream for stream in self.streams if stream.ssrc == ssrc), None)

    def _apply(self) -> None:
        for index, stream in enumerate(self.streams):
            stream.on = self._on and index < self._allowed


def _next_keyframe(frames: tuple[Frame, ...], at: int) -> int:
    return next(index for index in range(at, at + len(frames)) if frames[index % len(frames)].keyframe)
