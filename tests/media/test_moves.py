# SPDX-License-Identifier: Apache-2.0
"""Nothing that was said or shown before a move reaches anybody after it, in whatever order packets come."""

from __future__ import annotations

import pytest

from tests.media.circle import Circle, Encoding
from tests.media.offers import MICROPHONE_SSRC, OPUS
from tests.media.packets import rtp, vp8

pytestmark = pytest.mark.usefixtures("packet_path")


def test_a_keyframe_from_before_begins_nothing() -> None:
    """A lost keyframe that is repeated after the move was painted before it: the next one begins."""
    circle = Circle()
    ana, ben = circle.seat("ana", rids=("q", "h")), circle.seat("ben")
    camera = Encoding(ana, "q", 5_000)
    layer = ana.camera.layers[0]
    camera.send(vp8(1, 1, keyframe=True, body=bytes(9)))
    lost = camera.sequence + 1
    camera.send(vp8(3, 3, body=b"after"), lost + 1)
    camera.sequence = lost + 1
    circle.watch(ben.video(), layer)
    camera.repeat(vp8(2, 2, keyframe=True, body=bytes(9) + b"before"), lost, 1)
    assert not ben.seen()
    camera.send(vp8(4, 4, keyframe=True, body=bytes(9) + b"now"))
    assert [packet.payload[-3:] for packet in ben.seen()] == [b"now"]


def test_a_voice_from_before_begins_nothing() -> None:
    """A voice packet that was overtaken before the move is not for those who came by it."""
    circle = Circle()
    ana, ben = circle.seat("ana"), circle.seat("ben")
    for number, word in ((100, b"one"), (102, b"three")):
        ana.send(rtp(number, ssrc=MICROPHONE_SSRC, payload_type=OPUS, payload=word))
    ben.audio().attach(ana.microphone)
    ana.send(rtp(101, ssrc=MICROPHONE_SSRC, payload_type=OPUS, payload=b"two"))
    assert not ben.heard()
    ana.send(rtp(103, ssrc=MICROPHONE_SSRC, payload_type=OPUS, payload=b"four"))
    assert [packet.payload for packet in ben.heard()] == [b"four"]
