# SPDX-License-Identifier: Apache-2.0
"""Prepared media of a synthetic person, made once per process: sending it costs no encoding."""

from __future__ import annotations

import random
from collections.abc import Iterable
from functools import cache
from typing import Final

from msgspec import Struct

from loadtest.picture import ALONE, LAYERS, Colour, Format, colour_of, encode_picture
from loadtest.voice import Sound, encode_quiet, encode_speech, encode_steady, frequency_of, nearest_frequency

MAX_CHUNK_BYTES: Final = 1_100
"""With headers, extensions and the SRTP tag well below the 1356 bytes that pylibsrtp protects."""

KEYFRAME_WEIGHT: Final = 4
"""How much larger a keyframe is than the others, about."""

DESCRIPTOR_BYTES: Final = 4
"""Length of the VP8 payload descriptor we send, RFC 7741 section 4.2: one octet, X, and a picture id of 15 bits."""


class Frame(Struct, frozen=True):
    """One picture, cut to the size of packets; the payload descriptor comes before each chunk when it is sent."""

    chunks: tuple[bytes, ...]
    keyframe: bool


class Movie(Struct, frozen=True):
    """One encoding of a picture: alone, or a layer of simulcast."""

    form: Format
    frames: tuple[Frame, ...]


class Look(Struct, frozen=True):
    """How somebody looks and sounds; `plain`: nothing but the colour, for those who measure it."""

    colour: Colour
    frequency_hz: float
    plain: bool = False


class Clip(Struct, frozen=True):
    """What one synthetic person shows and says. Every tuple of frames or sounds may be repeated without end.

    `video` has one movie, or the layers of simulcast with the smallest first.
    """

    number: int
    colour: Colour
    frequency_hz: float
    video: tuple[Movie, ...]
    speech: tuple[Sound, ...]
    steady: tuple[Sound, ...]
    quiet: tuple[Sound, ...]


@cache
def prepared(number: int, look: Look | None = None, *, simulcast: bool = False) -> Clip:
    """The clip of the person with this number: always the same, about 0.3 s of work the first time, 1.5 s with layers.

    Without a `look` of their own they get one by their number.
    """
    look = look or Look(colour_of(number), frequency_of(number))
    hertz = nearest_frequency(look.frequency_hz)
    forms = LAYERS if simulcast else (ALONE,)
    return Clip(
        number=number,
        colour=look.colour,
        frequency_hz=hertz,
        video=tuple(_movie(number, look, form) for form in forms),
        speech=encode_speech(number, hertz),
        steady=encode_steady(hertz),
        quiet=encode_quiet(number),
    )


def _movie(number: int, look: Look, form: Format) -> Movie:
    pictures = encode_picture(number, look.colour, form, plain=look.plain)
    chance = random.Random(f"{number} {form.rid}")
    frames = []
    for data, keyframe in pictures:
        # A decoder reads no further than the last partition goes (RFC 6386 section 9.5): what is behind it is not
        # seen. The number makes also the smallest picture of a person their own.
        marked = data + number.to_bytes(4, "big")
        if form.padded:
            marked += chance.randbytes(max(0, _size_like_a_cameras(form, chance, keyframe=keyframe) - len(marked)))
        chunks = (marked[start : start + MAX_CHUNK_BYTES] for start in range(0, len(marked), MAX_CHUNK_BYTES))
        frames.append(Frame(tuple(chunks), keyframe))
    return Movie(form, tuple(frames))


def _size_like_a_cameras(form: Format, chance: random.Random, *, keyframe: bool) -> int:
    usual = form.bit_rate / 8 / form.frames_per_second
    return round(usual * (KEYFRAME_WEIGHT if keyframe else chance.uniform(0.7, 1.2)))


class Signatures:
    """Tells from a received payload alone whose clip it is: no SSRC, no message of the server is trusted for it."""

    def __init__(self, clips: Iterable[Clip]) -> None:
        self._owner: dict[bytes, int | None] = {}
        for clip in clips:
            for frame in (frame for movie in clip.video for frame in movie.frames):
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
