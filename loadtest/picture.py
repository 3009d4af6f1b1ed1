# SPDX-License-Identifier: Apache-2.0
"""The moving picture of a synthetic person: an own colour and something that moves before it, encoded once as VP8."""

from __future__ import annotations

import colorsys
import math
from fractions import Fraction
from typing import Final

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame
from msgspec import Struct

WIDTH: Final = 320
HEIGHT: Final = 180
"""Of what is drawn; other sizes are scaled from it."""
SECONDS: Final = 4

_GOLDEN: Final = (math.sqrt(5) - 1) / 2
"""Steps of this size around the colour circle keep any number of hues apart."""

_SWAY: Final = 18
_MARK: Final = 8
"""Size of what moves in a plain picture, in pixels."""
_SILHOUETTE_LUMA: Final = 48
_GRADIENT_LUMA: Final = 24


class Format(Struct, frozen=True):
    """How a picture is encoded; `rid` names a layer of simulcast (RFC 8853), and is empty for a picture alone.

    A layer has the size that a camera's picture would have, whatever there is to see (`padded`).
    """

    rid: str
    width: int
    height: int
    frames_per_second: int
    keyframe_every: int
    bit_rate: int
    padded: bool = False


ALONE: Final = Format("", WIDTH, HEIGHT, 15, 15, 150_000)
LAYERS: Final = (
    Format("q", 240, 135, 15, 60, 80_000, padded=True),
    Format("h", 480, 270, 20, 80, 230_000, padded=True),
    Format("f", 960, 540, 20, 80, 900_000, padded=True),
)
"""As a browser sends 960x540, the smallest first; keyframes are rare, to be asked for."""


class Colour(Struct, frozen=True):
    """Red, green and blue, 0 to 255."""

    red: int
    green: int
    blue: int


class Yuv(Struct, frozen=True):
    """BT.601 in the limited range that VP8 decoders assume."""

    luma: int
    blue_difference: int
    red_difference: int


def colour_of(number: int) -> Colour:
    """The colour of the person with this number."""
    channels = colorsys.hls_to_rgb(number * _GOLDEN % 1.0, 0.42, 0.38)
    return Colour(*(round(255 * channel) for channel in channels))


def encode_picture(number: int, colour: Colour, form: Format, *, plain: bool) -> tuple[tuple[bytes, bool], ...]:
    """`SECONDS` of VP8 frames that may be repeated without a jump; with each whether it is a keyframe.

    A swaying silhouette; `plain`: the colour alone, for those who measure it, with a small mark wandering at the top.
    """
    codec = VideoCodecContext.create("libvpx", "w")
    codec.width, codec.height, codec.pix_fmt = form.width, form.height, "yuv420p"
    codec.time_base = Fraction(1, form.frames_per_second)
    codec.bit_rate, codec.gop_size, codec.thread_count = form.bit_rate, form.keyframe_every, 1
    # A negative speed is a fixed one: with a positive one the encoder adapts to how busy the machine is, and another
    # process would make other bytes.
    codec.options = {"deadline": "realtime", "cpu-used": "-6", "lag-in-frames": "0", "auto-alt-ref": "0"}
    total = SECONDS * form.frames_per_second
    yuv = _yuv(colour)
    packets = []
    for index in range(total):
        turn = index / total
        rows = _marked(yuv.luma, turn) if plain else _silhouette(yuv.luma, _head(number, turn))
        packets += codec.encode(_frame(index, yuv, rows, form))
    packets += codec.encode(None)
    return tuple((bytes(packet), packet.is_keyframe) for packet in packets)


def _frame(index: int, colour: Yuv, rows: list[bytes], form: Format) -> VideoFrame:
    frame = VideoFrame(WIDTH, HEIGHT, "yuv420p")
    luma, blue, red = frame.planes
    _fill(luma, rows)
    _fill(blue, [bytes([colour.blue_difference]) * (WIDTH // 2)] * (HEIGHT // 2))
    _fill(red, [bytes([colour.red_difference]) * (WIDTH // 2)] * (HEIGHT // 2))
    if (form.width, form.height) != (WIDTH, HEIGHT):
        frame = frame.reformat(width=form.width, height=form.height, interpolation="FAST_BILINEAR")
    frame.pts, frame.time_base = index, Fraction(1, form.frames_per_second)
    if index % form.keyframe_every == 0:
        frame.pict_type = PictureType.I
    return frame


def _fill(plane: av.video.plane.VideoPlane, rows: list[bytes]) -> None:
    plane.update(b"".join(row.ljust(plane.line_size, b"\x80") for row in rows))


def _yuv(colour: Colour) -> Yuv:
    red, green, blue = colour.red, colour.green, colour.blue
    return Yuv(
        luma=round(16 + (65.481 * red + 128.553 * green + 24.966 * blue) / 255),
        blue_difference=round(128 + (-37.797 * red - 74.203 * green + 112 * blue) / 255),
        red_difference=round(128 + (112 * red - 93.786 * green - 18.214 * blue) / 255),
    )


def _head(number: int, turn: float) -> tuple[float, float]:
    """Where the head is at this part (0 to 1) of the loop; each person moves in an own way."""
    angle = 2 * math.pi * (turn + number * _GOLDEN)
    return WIDTH / 2 + _SWAY * math.sin(angle), HEIGHT * 0.4 + (4 + number % 5) * math.sin(2 * angle)


def _silhouette(background: int, head: tuple[float, float]) -> list[bytes]:
    x, y = head
    shoulders_x, shoulders_y = WIDTH / 2 + 0.5 * (x - WIDTH / 2), HEIGHT + 6.0
    rows = []
    for line in range(HEIGHT):
        shade = background + round(_GRADIENT_LUMA * (0.5 - line / HEIGHT))
        row = bytearray([shade]) * WIDTH
        _draw(row, min(235, shade + _SILHOUETTE_LUMA), x, _half_width(line - y, 30, 36))
        _draw(row, min(235, shade + _SILHOUETTE_LUMA), shoulders_x, _half_width(line - shoulders_y, 74, 66))
        rows.append(bytes(row))
    return rows


def _marked(background: int, turn: float) -> list[bytes]:
    row = bytearray([background]) * WIDTH
    at = round(turn * (WIDTH - _MARK))
    row[at : at + _MARK] = bytes([max(16, background - _SILHOUETTE_LUMA)]) * _MARK
    return [bytes(row)] * _MARK + [bytes([background]) * WIDTH] * (HEIGHT - _MARK)


def _half_width(distance: float, width: float, height: float) -> float:
    """Half the width of an ellipse at this distance from its centre line; 0 outside."""
    return width * math.sqrt(max(0.0, 1 - (distance / height) ** 2))


def _draw(row: bytearray, luma: int, centre: float, half: float) -> None:
    """A line from edge to edge; a pixel that is covered in part gets a luma between."""
    if half == 0:
        return
    left, right = max(0.0, centre - half), min(WIDTH - 1.0, centre + half)
    first, last = math.ceil(left), math.floor(right)
    row[first:last] = bytes([luma]) * (last - first)
    for edge, covered in ((first - 1, first - left), (last, right - last)):
        row[edge] = round(row[edge] + (luma - row[edge]) * covered)
