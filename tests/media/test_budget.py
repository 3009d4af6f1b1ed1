# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from server.media.budget import BURST_NS, NS, Budget, budget_of_source
from server.media.rtcp import negative_acknowledgement
from server.media.sdp_codecs import MediaKind
from tests.media.circle import Circle, Encoding
from tests.media.offers import CAMERA_SSRC, MICROPHONE_SSRC, OPUS
from tests.media.packets import rtp, vp8


def passed(budget: Budget, size: int, gap_ns: int, seconds: float, start_ns: int = 5 * NS) -> int:
    """How many of an even stream of packets are within the budget."""
    return sum(budget.take(size, start_ns + at) for at in range(0, int(seconds * NS), gap_ns))


@pytest.mark.parametrize(("size", "per_second"), [(10, 100), (400, 25)], ids=["packets", "bytes"])
def test_both_rates_hold(size: int, per_second: int) -> None:
    """Far too much is cut to the rate, after one burst; the rest is counted."""
    budget = Budget(packets_per_s=100, bytes_per_s=10_000)
    taken = passed(budget, size, NS // 1_000, 10)
    assert taken == pytest.approx(per_second * (10 + BURST_NS // NS), rel=0.02)
    assert budget.refused == 10_000 - taken


def test_silence_saves_no_more_than_a_burst() -> None:
    """After a minute of nothing, one burst passes at once, not sixty."""
    budget = Budget(packets_per_s=100, bytes_per_s=1_000_000)
    assert budget.take(10, NS)
    assert sum(budget.take(10, 60 * NS) for _ in range(10_000)) == 100


@pytest.mark.parametrize(
    ("kind", "size", "per_second"),
    [(MediaKind.AUDIO, 200, 50), (MediaKind.AUDIO, 120, 100), (MediaKind.VIDEO, 1_100, 400)],
)
def test_the_honest_are_not_touched(kind: MediaKind, size: int, per_second: int) -> None:
    """Voice with redundancy, voice in packets of 10 ms, three layers of a camera; and after a stall of 0.9 s."""
    budget = budget_of_source(kind, Budget)
    assert passed(budget, size, NS // per_second, 10) == 10 * per_second
    assert sum(budget.take(size, 20 * NS) for _ in range(per_second * 9 // 10)) == per_second * 9 // 10


def test_a_flood_of_voice_is_not_multiplied() -> None:
    """3,000 packets of 1000 bytes in a moment: a handful reaches the seven others, and the camera goes on."""
    circle = Circle()
    ana = circle.seat("ana")
    others = [circle.seat(f"p{index}") for index in range(7)]
    for other in others:
        other.audio().attach(ana.microphone)
        circle.watch(other.video(), ana.camera.layers[0])
    for number in range(3_000):
        ana.send(rtp(number, ssrc=MICROPHONE_SSRC, payload_type=OPUS, payload=bytes(1_000)))
    assert all(len(other.heard()) < 50 for other in others)
    assert ana.microphone.budget.refused > 2_900
    Encoding(ana, "", CAMERA_SSRC).send(vp8(keyframe=True))
    assert all(len(other.seen()) == 1 for other in others)


def test_a_flood_is_not_even_decrypted() -> None:
    """Above the budget of the peer nothing is looked at, whatever it is; a moment later its media flows again."""
    circle = Circle()
    ana, bo = circle.seat("ana"), circle.seat("bo")
    bo.audio().attach(ana.microphone)
    for _ in range(10_000):
        circle.forwarder.receive(ana.peer, b"\x80" * 60, circle.now_ns)
    received = circle.forwarder.received
    assert received <= 5_000
    circle.wait(100)
    ana.send(rtp(1, ssrc=MICROPHONE_SSRC, payload_type=OPUS))
    assert len(bo.heard()) == 1


def test_what_was_not_lost_in_an_hour_cannot_be_asked_for_at_once() -> None:
    """A line may repeat an eighth of what it sent; of a long life that is a flood, at the price of some reports."""
    circle = Circle()
    ana, bo = circle.seat("ana"), circle.seat("bo")
    circle.watch(bo.video(), ana.camera.layers[0])
    Encoding(ana, "", CAMERA_SSRC).send(vp8(keyframe=True))
    (seen,) = bo.seen()
    bo.video().rewriter.packets = 1_000_000
    for _ in range(100):
        bo.send_report(negative_acknowledgement(1, seen.ssrc, [seen.sequence] * 100))
    assert 500 < bo.video().resent <= 1_000
    circle.wait(1_000)
    bo.send_report(negative_acknowledgement(1, seen.ssrc, [seen.sequence] * 100))
    assert bo.video().resent > 1_000


def test_dtls_has_a_budget_of_its_own() -> None:
    """Ten thousand records in a moment are not tried with the keys, and neither media nor reports are held up."""
    circle = Circle()
    ana, bo = circle.seat("ana"), circle.seat("bo")
    bo.audio().attach(ana.microphone)
    tried: list[bytes] = []
    ana.peer.dtls_receive = tried.append
    home = (0, ("127.0.0.1", 4_000))
    circle.forwarder.ice.owner_of = lambda path: ana.peer if path == home else None  # type: ignore[method-assign]
    for _ in range(10_000):
        circle.forwarder.datagram(b"\x16\xfe\xfd" + bytes(60), home)
    assert 0 < len(tried) <= 200
    ana.send(rtp(1, ssrc=MICROPHONE_SSRC, payload_type=OPUS))
    assert len(bo.heard()) == 1


def test_reports_have_a_budget_of_their_own() -> None:
    """A thousand lists of losses in a moment are not read; media and later feedback are not held up by them."""
    circle = Circle()
    ana, bo = circle.seat("ana"), circle.seat("bo")
    circle.watch(bo.video(), ana.camera.layers[0])
    camera = Encoding(ana, "", CAMERA_SSRC)
    camera.send(vp8(keyframe=True))
    for _ in range(1_000):
        bo.send_report(negative_acknowledgement(1, bo.video().rewriter.ssrc, list(range(100))))
    assert bo.peer.report_budget.refused >= 500
    assert bo.peer.budget.refused == 0
    circle.wait(100)
    bo.send_report(negative_acknowledgement(1, bo.video().rewriter.ssrc, [bo.seen()[0].sequence]))
    assert len(bo.repeats()) == 1
