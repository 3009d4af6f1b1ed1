# SPDX-License-Identifier: Apache-2.0
"""Codecs beside VP8: passed through where both ends have them."""

from __future__ import annotations

import pytest

from server.media.rtcp import negative_acknowledgement
from tests.media.circle import Circle, Encoding, Seat
from tests.media.offers import CAMERA_SSRC, RTX, VP8, make_offer
from tests.media.packets import rtp, vp8

pytestmark = pytest.mark.usefixtures("packet_path")


def with_codec(offer: str, payload_type: int, rtx: int, codec: str, parameters: str = "") -> str:
    """Every video section takes this one too."""
    offer = offer.replace(f"SAVPF {VP8} {RTX}", f"SAVPF {VP8} {RTX} {payload_type} {rtx}")
    lines = f"a=rtpmap:{payload_type} {codec}/90000\na=rtpmap:{rtx} rtx/90000\na=fmtp:{rtx} apt={payload_type}\n"
    lines += f"a=fmtp:{payload_type} {parameters}\n" if parameters else ""
    return offer.replace(f"a=rtpmap:{VP8} ", f"{lines}a=rtpmap:{VP8} ")


H264 = ("H264", "packetization-mode=1;profile-level-id=42e01f")


@pytest.mark.parametrize(
    ("codec", "payloads"),
    [
        (("VP9",), (b"\x40cannot begin", b"\x08keyframe", b"\x40goes on")),
        (H264, (b"\x41cannot begin", b"\x65keyframe", b"\x41goes on")),
    ],
    ids=["VP9", "H.264"],
)
def test_a_codec_goes_to_those_who_have_it(codec: tuple[str, ...], payloads: tuple[bytes, ...]) -> None:
    """A publisher changes codecs: who has the new one goes on with its next keyframe under an own type, others stop."""
    circle = Circle()
    ana = Seat(circle, "ana", with_codec(make_offer(), 98, 99, *codec))
    bo = Seat(circle, "bo", with_codec(make_offer(), 45, 46, *codec))
    old = circle.seat("old")
    for seat in (bo, old):
        circle.watch(seat.video(), ana.camera.layers[0])
    camera = Encoding(ana, "", CAMERA_SSRC)
    camera.send(vp8(7, keyframe=True))
    assert old.video().plays(ana.camera)
    for sequence, payload in enumerate(payloads, 200):
        ana.send(rtp(sequence, ssrc=CAMERA_SSRC, payload_type=98, payload=payload))
    assert [packet.payload_type for packet in bo.seen()] == [VP8, 45, 45]
    assert [packet.payload_type for packet in old.seen()] == [VP8]
    assert not old.video().plays(ana.camera)
    assert not old.video().choose(ana.camera.layers[0])
    bo.send_report(negative_acknowledgement(1, bo.video().rewriter.ssrc, [bo.seen()[2].sequence]))
    assert [(packet.payload_type, packet.payload[2:]) for packet in bo.repeats()] == [(46, payloads[2])]
    camera.sequence = 300
    circle.wait(1_000)
    camera.send(vp8(8, keyframe=True))
    circle.watch(old.video(), ana.camera.layers[0])
    camera.send(vp8(9, keyframe=True))
    assert [packet.payload_type for packet in old.seen()] == [VP8, VP8]


def test_a_late_packet_does_not_change_the_codec_back() -> None:
    """It was sent before the change; everybody goes on with what comes now."""
    circle = Circle()
    ana = Seat(circle, "ana", with_codec(make_offer(), 98, 99, *H264))
    bo = Seat(circle, "bo", with_codec(make_offer(), 45, 46, *H264))
    circle.watch(bo.video(), ana.camera.layers[0])
    camera = Encoding(ana, "", CAMERA_SSRC)
    first = camera.send(vp8(7, keyframe=True))
    circle.wait(1_000)
    for sequence, payload in ((first + 2, b"\x65keyframe"), (first + 3, b"\x41goes on")):
        ana.send(rtp(sequence, ssrc=CAMERA_SSRC, payload_type=98, payload=payload))
    circle.wait(1_000)
    camera.send(vp8(8), first + 1)
    ana.send(rtp(first + 4, ssrc=CAMERA_SSRC, payload_type=98, payload=b"\x41and on"))
    assert [packet.payload for packet in bo.seen()[1:]] == [b"\x65keyframe", b"\x41goes on", b"\x41and on"]


def test_a_publisher_that_changes_to_and_fro_is_not_followed() -> None:
    """Every packet in another codec: everybody would begin again with each of them; now once in a second."""
    circle = Circle()
    ana = Seat(circle, "ana", with_codec(make_offer(), 98, 99, *H264))
    bo = Seat(circle, "bo", with_codec(make_offer(), 45, 46, *H264))
    circle.watch(bo.video(), ana.camera.layers[0])
    for number in range(1, 500):
        kind, payload = (98, b"\x65keyframe") if number % 2 else (VP8, vp8(number, keyframe=True))
        ana.send(rtp(number, ssrc=CAMERA_SSRC, payload_type=kind, payload=payload))
        circle.wait(10)
    assert bo.video().switches <= 6
