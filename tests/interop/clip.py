# SPDX-License-Identifier: Apache-2.0
"""A second of voice and picture as RTP payloads, for stacks that bring no encoder."""

from __future__ import annotations

import base64
import json
from fractions import Fraction
from pathlib import Path
from typing import Final

from aiortc.codecs.opus import OpusEncoder
from aiortc.codecs.vpx import Vp8Encoder
from av import AudioFrame, VideoFrame

FRAMES: Final = 15
SOUNDS: Final = 50
_SAMPLES: Final = 960


def write_clip(path: Path) -> Path:
    """`{"audio": [payload], "video": [[payload of a packet]]}` in base64: a sound each 20 ms, a picture each 66 ms.

    The first picture is a keyframe, so that it may be repeated without end.
    """
    voice, camera = OpusEncoder(), Vp8Encoder()
    sounds = [payload for number in range(SOUNDS) for payload in voice.encode(_sound(number))[0]]
    pictures = [camera.encode(_picture(number), force_keyframe=number == 0)[0] for number in range(FRAMES)]
    clip = {"audio": [_text(payload) for payload in sounds], "video": [[_text(p) for p in each] for each in pictures]}
    path.write_text(json.dumps(clip))
    return path


def _text(payload: bytes) -> str:
    return base64.b64encode(payload).decode()


def _sound(number: int) -> AudioFrame:
    frame = AudioFrame(format="s16", layout="mono", samples=_SAMPLES)
    wave = [8000 if (number * _SAMPLES + at) // 48 % 2 else -8000 for at in range(_SAMPLES)]
    frame.planes[0].update(b"".join(value.to_bytes(2, "little", signed=True) for value in wave))
    frame.sample_rate, frame.pts, frame.time_base = 48_000, number * _SAMPLES, Fraction(1, 48_000)
    return frame


def _picture(number: int) -> VideoFrame:
    frame = VideoFrame(320, 240, "yuv420p")
    for plane, value in zip(frame.planes, (16 + 12 * number, 100, 160), strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    frame.pts, frame.time_base = number * 6_000, Fraction(1, 90_000)
    return frame
