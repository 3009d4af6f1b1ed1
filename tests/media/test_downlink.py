# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import time
from collections.abc import Sequence

import pytest
from aiortc.rtp import RtcpReceiverInfo

from server.media import downlink
from server.media.congestion.allocation import Allotment, Choice, Wanted, allocate
from server.media.congestion.arrivals import Arrivals
from server.media.congestion.estimator import START_BPS
from server.media.downlink import Downlink
from server.media.overload import Shed
from server.media.streams import Layer
from server.ports import PauseReason
from tests.media.circle import MS, Circle, Encoding
from tests.media.offers import TRANSPORT_CC_ID
from tests.media.packets import vp8

RIDS = ("q", "h", "f")
PAYLOADS = (300, 900, 1100)
PACKETS = (1, 1, 6)
"""Each 33 ms: about 75, 220 and 1,600 kbit/s."""


class Scene:
    """Ana sends three layers, Bo watches her over a link that delivers `kbps`, at once and without a queue."""

    def __init__(self, *, transport_cc: bool = True) -> None:
        self.circle = Circle()
        self.ana = self.circle.seat("ana", rids=RIDS)
        self.bo = self.circle.seat("bo", transport_cc=transport_cc)
        self.asked: list[Layer] = []
        self.retold: list[str] = []
        self.downlink = Downlink(self.bo.peer, self.asked.append, self.retold.append)
        self.bo.peer.downlink = self.downlink
        self.encodings = [Encoding(self.ana, rid, 5000 + 10 * index) for index, rid in enumerate(RIDS)]
        self.arrivals = Arrivals()
        self.line = self.bo.video()
        self.line.height = 540
        self.frames = 0
        self.read = 0
        self.delay_ms = 20
        self.sending = 3
        self.silent = False
        """No transport-wide feedback."""
        self.answering = True
        """Requests for keyframes."""

    def frame(self) -> None:
        """A thirtieth of a second: all layers send, keyframes where one is awaited; feedback each third time."""
        for encoding, layer, size, count in zip(self.encodings, self.ana.camera.layers, PAYLOADS, PACKETS, strict=True):
            for part in range(count if layer.index < self.sending else 0):
                keyframe = part == 0 and bool(layer.pending) and self.answering
                encoding.send(vp8(self.frames & 0x7F, keyframe=keyframe) + bytes(size), marker=part == count - 1)
        self.frames += 1
        self.circle.wait(33)
        self.downlink.tick(self.circle.now_ns)
        for _ in range(3):
            self.downlink.probe(self.circle.now_ns)
            self._note()
        if self.frames % 3 == 0 and not self.silent:
            for message in self.arrivals.feedback(1, 2):
                self.bo.send_report(message)

    def _note(self) -> None:
        for packet in self.bo.packets[self.read :]:
            number = packet.extension(TRANSPORT_CC_ID)
            if number:
                self.arrivals.record(int.from_bytes(number), self.circle.now_ns + self.delay_ms * MS)
        self.read = len(self.bo.packets)

    def watch(self) -> None:
        """Put Ana into Bo's slot."""
        self.line.attach(self.ana.camera)
        self.downlink.reallocate()

    def play(self, seconds: float) -> None:
        """Let it run."""
        for _ in range(int(seconds * 30)):
            self.frame()


def test_a_good_link_is_probed_up_to_the_tile() -> None:
    """A large tile gets its layer within seconds, justified by padding, and the padding ends."""
    scene = Scene()
    scene.watch()
    scene.play(6)
    assert scene.line.flowing is scene.ana.camera.layers[2]
    assert scene.line.paused is None
    assert scene.line.padded > 0
    padded = scene.line.padded
    scene.play(5)
    assert scene.line.padded - padded < 60_000


def test_layer_follows_the_tile() -> None:
    """A tile that becomes small gets the small layer, with its keyframe asked for."""
    scene = Scene()
    scene.watch()
    scene.play(6)
    scene.line.height = 100
    scene.downlink.reallocate()
    assert scene.line.awaited is scene.ana.camera.layers[0]
    scene.play(0.1)
    assert scene.line.flowing is scene.ana.camera.layers[0]


def test_a_layer_that_stops_is_left_at_once() -> None:
    """When a publisher's large layer stops the next smaller is shown soon, and the large one when it is back."""
    scene = Scene()
    scene.watch()
    scene.play(6)
    scene.sending = 2
    scene.play(0.55)
    assert scene.line.flowing is scene.ana.camera.layers[1]
    scene.sending = 3
    scene.play(3)
    assert scene.line.flowing is scene.ana.camera.layers[2]


def test_a_layer_that_stops_before_it_was_shown_is_left_at_once() -> None:
    """An uplink that gets narrow loses one layer after the other; nobody waits for a keyframe of one that is gone."""
    scene = Scene()
    scene.watch()
    scene.play(6)
    scene.answering, scene.sending = False, 2
    scene.play(0.55)
    assert scene.line.awaited is scene.ana.camera.layers[1]
    scene.sending = 1
    scene.play(0.55)
    assert scene.line.awaited is scene.ana.camera.layers[0]


def test_a_layer_of_which_too_much_is_lost_is_left_at_once() -> None:
    """Half of the large layer does not come through: a smaller one is shown until it does again."""
    scene = Scene()
    scene.watch()
    scene.play(6)
    large = scene.encodings[2]
    for _ in range(12):
        large.sequence += 5
        scene.frame()
    assert scene.line.flowing is scene.ana.camera.layers[1]
    scene.play(4)
    assert scene.line.flowing is scene.ana.camera.layers[2]


def test_what_is_sent_again_keeps_no_layer_alive() -> None:
    """A narrow uplink still repeats what it lost of a layer that it sends no more."""
    scene = Scene()
    h, layer = scene.encodings[1], scene.ana.camera.layers[1]
    h.send(vp8(1, keyframe=True))
    h.sequence += 1
    lost = h.sequence
    h.send(vp8(3))
    arrived_ns, received = scene.circle.now_ns, layer.statistics.received
    scene.circle.wait(100)
    h.repeat(vp8(2), lost, 1)
    assert layer.statistics.received == received + 1
    assert layer.arrived_ns == arrived_ns


def test_a_thin_link_pauses_the_picture_and_tells() -> None:
    """With room for voices only the picture pauses with the reason, and comes back when there is room."""
    scene = Scene()
    scene.watch()
    scene.play(0.5)
    estimator = scene.downlink.estimator
    assert estimator is not None
    estimator.target_bps = 60_000
    scene.play(0.4)
    assert (scene.line.chosen, scene.line.paused) == (None, PauseReason.BANDWIDTH)
    assert scene.retold[-1] == "bo"
    scene.play(8)
    assert scene.line.flowing is not None
    assert scene.line.paused is None
    assert len(scene.retold) >= 2


@pytest.mark.parametrize(
    ("shed", "index", "reason"),
    [
        (Shed.LARGE, 1, None),
        (Shed.MIDDLE, 0, None),
        (Shed.MOST, 0, None),
        (Shed.ALL_PICTURES, None, PauseReason.OVERLOAD),
    ],
)
def test_an_overloaded_worker_sends_less(shed: Shed, index: int | None, reason: PauseReason | None) -> None:
    """Each step of shedding lowers the layer, the last one pauses with its own reason."""
    scene = Scene()
    scene.watch()
    scene.play(6)
    scene.downlink.shed = shed
    scene.downlink.reallocate()
    chosen = scene.line.chosen
    assert (chosen.index if chosen is not None else None, scene.line.paused) == (index, reason)


def test_hidden_picture_gets_nothing() -> None:
    """What the client does not show takes no part, and nothing is probed for it."""
    scene = Scene()
    scene.line.hidden = True
    scene.watch()
    scene.play(3)
    assert scene.line.chosen is None
    assert scene.line.padded == 0


def test_without_transport_feedback_the_receiver_is_believed() -> None:
    """REMB below what is sent lowers the budget; loss does too."""
    scene = Scene(transport_cc=False)
    scene.watch()
    scene.play(3)
    assert scene.line.flowing is not None
    assert scene.downlink.target_bps >= START_BPS
    scene.downlink.remb(50_000, scene.circle.now_ns)
    assert scene.downlink.target_bps == 50_000
    scene.play(1.2)
    assert scene.line.paused is PauseReason.BANDWIDTH
    block = RtcpReceiverInfo(ssrc=9, fraction_lost=128, packets_lost=0, highest_sequence=1, jitter=0, lsr=0, dlsr=0)
    scene.circle.wait(1_500)
    scene.downlink.receiver_report([block], scene.circle.now_ns)
    assert scene.downlink.target_bps < 50_000


def report(scene: Scene, lost: float = 0.0) -> None:
    """Of one line, this share of it lost."""
    block = RtcpReceiverInfo(
        ssrc=9, fraction_lost=int(256 * lost), packets_lost=0, highest_sequence=1, jitter=0, lsr=0, dlsr=0
    )
    scene.downlink.receiver_report([block], scene.circle.now_ns)


def test_who_negotiates_feedback_and_reports_only_is_believed() -> None:
    """By its reports it gets the large picture and loses it again; feedback that comes after all is worth more."""
    scene = Scene()
    scene.silent = True
    scene.watch()
    for _ in range(20):
        scene.play(1)
        report(scene)
    assert scene.downlink.estimator is None
    assert scene.line.flowing is scene.ana.camera.layers[2]
    for _ in range(5):
        scene.play(1)
        report(scene, lost=0.5)
    assert scene.line.flowing is not scene.ana.camera.layers[2]
    scene.silent = False
    scene.play(1)
    assert scene.downlink.estimator is not None


def test_who_answers_is_not_taken_for_deaf() -> None:
    """However many reports come beside feedback, and after a pause of any length."""
    scene = Scene()
    scene.watch()
    for second in range(30):
        if 10 <= second < 20:
            scene.circle.wait(1_000)
        else:
            scene.play(1)
        report(scene)
        assert scene.downlink.estimator is not None


def test_a_path_that_was_blocked_is_not_deaf() -> None:
    """After ten seconds without a word a report comes first, and the feedback soon after it."""
    scene = Scene()
    scene.watch()
    scene.play(3)
    report(scene)
    scene.silent = True
    scene.play(10)
    report(scene)
    assert scene.downlink.estimator is not None


def test_another_path_is_measured_anew() -> None:
    """After the client moved, nothing known of the former path is trusted, and the new one is found out again."""
    scene = Scene()
    scene.watch()
    scene.play(6)
    assert scene.downlink.target_bps > START_BPS
    scene.downlink.moved()
    assert scene.downlink.target_bps == START_BPS
    scene.delay_ms = 200
    scene.play(6)
    assert scene.line.flowing is scene.ana.camera.layers[2]


def test_a_new_path_is_told_to_the_estimate() -> None:
    """The peer passes on that its packets go elsewhere."""
    scene = Scene()
    assert scene.downlink.estimator is not None
    scene.downlink.estimator.target_bps = 3e6
    scene.bo.peer.moved(None)
    assert scene.downlink.target_bps == START_BPS


def test_junk_feedback_changes_nothing() -> None:
    """A message that cannot be read, or speaks of packets never sent, is passed over."""
    scene = Scene()
    scene.watch()
    scene.play(1)
    before = scene.downlink.target_bps
    foreign = Arrivals()
    for number in range(30_000, 30_050):
        foreign.record(number, 5 * MS)
    for message in (b"\x8f\xcd\x00\x05" + bytes(20), *foreign.feedback(1, 2)):
        scene.downlink.transport_feedback(message, scene.circle.now_ns)
    assert scene.downlink.target_bps == before


def test_feedback_is_cheap() -> None:
    """A message about a tenth of a second of twelve slots costs far less than a millisecond."""
    scene = Scene()
    history = scene.bo.peer.history
    assert history is not None
    messages = []
    for step in range(100):
        for index in range(80):
            number = history.next()
            at_ns = (1_000 + step * 66) * MS + index * 800_000
            history.sent(number, 1_000, at_ns)
            scene.arrivals.record(number & 0xFFFF, at_ns + 20 * MS)
        messages.append((scene.arrivals.feedback(1, 2), (1_066 + step * 66) * MS))
        began = time.perf_counter()
        for message in messages[-1][0]:
            scene.downlink.transport_feedback(message, messages[-1][1])
        messages[-1] = ([], int((time.perf_counter() - began) * 1e9))
    costs = sorted(cost for _, cost in messages)
    print(f"median cost of one feedback about 80 packets: {costs[50] / 1000:.0f} us")
    assert costs[50] < MS


def test_more_than_enough_is_not_shared_out_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """With everything chosen a growing estimate is no reason to look before the second is over; a falling one is."""
    scene = Scene()
    scene.watch()
    scene.play(8)
    assert scene.line.flowing is scene.ana.camera.layers[2]
    looked: list[float] = []

    def counted(available_bps: float, wanted: Sequence[Wanted], before: Sequence[Choice]) -> Allotment:
        looked.append(available_bps)
        return allocate(available_bps, wanted, before)

    monkeypatch.setattr(downlink, "allocate", counted)
    estimator = scene.downlink.estimator
    assert estimator is not None
    for step in range(30):
        estimator.target_bps = 4e6 * (1 + step % 2)
        scene.frame()
    seconds = len(looked)
    assert seconds <= 2
    estimator.target_bps = 600_000
    scene.play(0.2)
    assert len(looked) > seconds
    assert scene.line.chosen is scene.ana.camera.layers[1]
