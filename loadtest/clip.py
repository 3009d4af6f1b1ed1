# SPDX-License-Identifier: Apache-2.0
"""Prepared media of a synthetic person, made once per process: sending it costs no encoding."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Final

from msgspec import Struct

from loadtest.picture import Colour, colour_of, encode_picture
from loadtest.voice import Sound, encode_quiet, encode_speech, encode_steady, frequency_of, nearest_frequency

MAX_CHUNK_BYTES: Final = 1_100
"""With headers, extensions and the SRTP tag well below the 1356 bytes that pylibsrtp protects."""

DESCRIPTOR_BYTES: Final = 4
"""Length of the VP8 payload descriptor we send, RFC 7741 section 4.2: one octet, X, and a picture id of 15 bits."""


class Frame(Struct, frozen=True):
    """One picture, cut to the size of packets; the payload descriptor comes before each chunk when it is sent."""

    chunks: tuple[bytes, ...]
    keyframe: bool


class Look(Struct, frozen=True):
    """How somebody looks and sounds; `plain`: nothing but the colour, for those who measure it."""

    colour: Colour
    frequency_hz: float
    plain: bool = False


class Clip(Struct, frozen=True):
    """What one synthetic person shows and says. Every tuple may be repeated without end."""

    number: int
    colour: Colour
    frequency_hz: float
    video: tuple[Frame, ...]
    speech: tuple[Sound, ...]
    steady: tuple[Sound, ...]
    quiet: tuple[Sound, ...]


@cache
def prepared(number: int, look: Look | None = None) -> Clip:
    """The clip of the person with this number: always the same, about 0.3 s of work the first time.

    Without a `look` of their own they get one by their number.
    """
    look = look or Look(colour_of(number), frequency_of(number))
    hertz = nearest_frequency(look.frequency_hz)
    pictures = encode_picture(number, look.colour, plain=look.plain)
    return Clip(
        number=number,
        colour=look.colour,
        frequency_hz=hertz,
        video=tuple(Frame(_chunks(data, number), keyframe) for data, keyframe in pictures),
        speech=encode_speech(number, hertz),
        steady=encode_steady(hertz),
        quiet=encode_quiet(number),
    )


def _chunks(data: bytes, number: int) -> tuple[bytes, ...]:
    # A decoder reads no further than the last partition goes (RFC 6386 section 9.5), so the number behind it is not
    # seen, and makes also the smallest picture of a person their own.
    marked = data + number.to_bytes(4, "big")
    return tuple(marked[start : start + MAX_CHUNK_BYTES] for start in range(0, len(marked), MAX_CHUNK_BYTES))


class Signatures:
    """Tells from a received payload alone whose clip it is: no SSRC, no message of the server is trusted for it."""

    def __init__(self, clips: Iterable[Clip]) -> None:
        self._owner: dict[bytes, int | None] = {}
        for clip in clips:
            for frame in clip.video:
                for chunk in frame.chunks:
                    self._add(chunk, clip.number)
            for sound in (*clip.speech, *clip.steady, *clip.quiet):
                self._add(sound.payload, clip.number)

    def _add(self, payload: bytes, number: int) -> None:
        shared = self._owner.setdefault(payload, number) != number
        if shared:
            self._owner[payload] = None

    def of_audio(self, payload: bytes) -> int | None:
        """Number of the clip with this Opus packet; None for a payload of nobody, or of more than one."""
        return self._owner.get(payload)

    def of_video(self, payload: bytes) -> int | None:
        """Number of the clip with this VP8 packet, whatever picture id it was forwarded with."""
        return self._owner.get(payload[DESCRIPTOR_BYTES:])

    def ambiguous(self) -> int:
        """How many payloads belong to more than one clip."""
        return sum(owner is None for owner in self._owner.values())
