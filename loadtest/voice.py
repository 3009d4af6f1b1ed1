# SPDX-License-Identifier: Apache-2.0
"""The voice of a synthetic person: a soft tone of an own pitch in the rhythm of speech, encoded once as Opus."""

from __future__ import annotations

import array
import math
import random
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import cycle, islice
from typing import Final

from aiortc.rtp import compute_audio_level_dbov
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from msgspec import Struct

SAMPLE_RATE: Final = 48_000
PACKET_SAMPLES: Final = 960
BIT_RATE: Final = 32_000

_PEAK: Final = 0.07 * 32_767
_SCALE: Final = (1.0, 9 / 8, 5 / 4, 3 / 2, 5 / 3)
"""Pentatonic, so that several voices at once stay pleasant."""
_LOWEST_HZ: Final = 220
_OCTAVES: Final = 3
_OVERTONES: Final = ((1, 0.8), (2, 0.14), (3, 0.06))
_SYLLABLE: Final = SAMPLE_RATE // 4
_PHRASES: Final = ((8, 2), (6, 2), (5, 1))
"""Syllables of a phrase, and syllables of silence after it: 6 s, silent where it starts again."""
_NOISE_SAMPLES: Final = 4_801
"""Prime, so that the noise of two packets is never the same."""


class Sound(Struct, frozen=True):
    """One Opus packet of 20 ms and its level, 0 (loud) to 127 (silence), RFC 6464."""

    payload: bytes
    level: int


def frequency_of(number: int) -> float:
    """Fundamental of the voice of the person with this number, in Hz."""
    octave, step = divmod(number % (_OCTAVES * len(_SCALE)), len(_SCALE))
    return nearest_frequency(_LOWEST_HZ * (1 << octave) * _SCALE[step])


def nearest_frequency(hertz: float) -> float:
    """What a voice that shall have this frequency really has: its period is a whole number of samples."""
    return SAMPLE_RATE / round(SAMPLE_RATE / hertz)


def encode_speech(number: int, hertz: float) -> tuple[Sound, ...]:
    """Six seconds in the rhythm of speech, with pauses between the phrases."""
    return _encode(map(_mixed, cycle(_wave(hertz)), _rhythm(), cycle(_noise(number))))


def encode_steady(hertz: float) -> tuple[Sound, ...]:
    """Two seconds without a pause, so that a gap in it is a gap in what arrived."""
    return _encode(islice(map(round, cycle(_wave(hertz))), 2 * SAMPLE_RATE))


def encode_quiet(number: int) -> tuple[Sound, ...]:
    """A second of a silent room; its faint noise is everyone's own, so that even silence tells whose it is."""
    return _encode(islice(cycle(_noise(number)), SAMPLE_RATE))


def _wave(hertz: float) -> list[float]:
    period = round(SAMPLE_RATE / hertz)
    angles = [2 * math.pi * index / period for index in range(period)]
    return [_PEAK * sum(share * math.sin(order * angle) for order, share in _OVERTONES) for angle in angles]


def _noise(number: int) -> list[int]:
    chance = random.Random(number)
    return [chance.randint(-2, 2) for _ in range(_NOISE_SAMPLES)]


def _rhythm() -> Iterator[float]:
    syllable = [math.sin(math.pi * index / _SYLLABLE) ** 2 for index in range(_SYLLABLE)]
    silence = [0.0] * _SYLLABLE
    for spoken, silent in _PHRASES:
        for part in [syllable] * spoken + [silence] * silent:
            yield from part


def _mixed(sample: float, loudness: float, noise: int) -> int:
    return round(sample * loudness) + noise


def _encode(samples: Iterable[int]) -> tuple[Sound, ...]:
    codec = AudioCodecContext.create("libopus", "w")
    codec.format, codec.layout, codec.sample_rate = "s16", "mono", SAMPLE_RATE
    codec.bit_rate, codec.time_base = BIT_RATE, Fraction(1, SAMPLE_RATE)
    # As libwebrtc has it: without the constraint a steady tone takes a fifth more than it may.
    codec.options = {"application": "voip", "vbr": "constrained"}
    payloads: list[bytes] = []
    levels: list[int] = []
    for frame in _frames(samples):
        levels.append(-compute_audio_level_dbov(frame))
        payloads += [bytes(packet) for packet in codec.encode(frame)]
    return tuple(Sound(payload, level) for payload, level in zip(payloads, levels, strict=True))


def _frames(samples: Iterable[int]) -> Iterator[AudioFrame]:
    source, start = iter(samples), 0
    while block := array.array("h", islice(source, PACKET_SAMPLES)):
        frame = AudioFrame(format="s16", layout="mono", samples=len(block))
        frame.planes[0].update(block.tobytes())
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
        start += len(block)
        yield frame
