# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest
from aiortc.sdp import SessionDescription

from server.media.reachable import Candidate
from server.media.sdp import Direction, parse_offer
from server.media.sdp_answer import LinePlan, Local, SendLine, SlotSsrcs, answer, plan_lines
from tests.media.answers import check_answer
from tests.media.offers import FINGERPRINT, make_offer

RECORDED = Path(__file__).parent / "offers"
LOCAL = Local(
    ufrag="ours",
    pwd="ourPasswordOf22Letters",
    fingerprint=FINGERPRINT,
    candidates=(Candidate("192.0.2.1", 5000, 2000), Candidate("2001:db8::1", 5000, 1000)),
)


def ssrcs(count: int) -> tuple[SlotSsrcs, ...]:
    """Numbers for slots."""
    return tuple(SlotSsrcs(audio=100 * i + 1, video=100 * i + 2, video_rtx=100 * i + 3) for i in range(count))


def answered(text: str) -> list[str]:
    """The sections of our answer to an offer, the session part first."""
    offer = parse_offer(text)
    made = answer(offer, LOCAL, ssrcs(len(plan_lines(offer).slots)))
    assert made.endswith("\r\n")
    first, *sections = made.replace("\r\n", "\n").split("\nm=")
    return [first, *("m=" + section for section in sections)]


OFFERS = sorted(path.stem for path in RECORDED.glob("*.sdp"))


@pytest.mark.parametrize("name", OFFERS)
def test_each_answer_keeps_the_rules(name: str) -> None:
    """Of offer and answer, bundles, extensions and simulcast, whichever stack wrote the offer."""
    text = (RECORDED / f"{name}.sdp").read_text()
    offer = parse_offer(text)
    plan = plan_lines(offer)
    check_answer(text, answer(offer, LOCAL, ssrcs(len(plan.slots))))
    assert {SendLine.MICROPHONE, SendLine.CAMERA} <= set(plan.send)
    assert plan.slots


@pytest.mark.parametrize("name", ["chromium-simulcast", "firefox-simulcast", "libwebrtc"])
def test_recorded_simulcast_is_answered_in_full(name: str) -> None:
    """Three streams, as each of these stacks writes them."""
    _, _, camera, *_ = answered((RECORDED / f"{name}.sdp").read_text())
    assert "a=rid:q recv\na=rid:h recv\na=rid:f recv\na=simulcast:recv q;h;f" in camera


@pytest.mark.parametrize("name", ["chromium", "firefox", "aiortc"])
def test_each_recorded_offer_gets_a_full_answer(name: str) -> None:
    """As many sections as were offered, same mids and order, all in one bundle, the transport in each."""
    text = (RECORDED / f"{name}.sdp").read_text()
    offer = parse_offer(text)
    session, *sections = answered(text)
    assert "a=ice-lite" in session
    assert f"a=group:BUNDLE {' '.join(section.mid for section in offer.sections)}" in session
    for offered, section in zip(offer.sections, sections, strict=True):
        assert f"a=mid:{offered.mid}" in section
        assert "a=setup:passive" in section
        assert "a=rtcp-mux" in section
        assert f"a=fingerprint:sha-256 {FINGERPRINT}" in section
        assert "a=ice-ufrag:ours" in section
        assert "a=candidate:1 1 udp 2000 192.0.2.1 5000 typ host" in section
        receiving = offered.direction is Direction.RECVONLY
        assert f"a={'sendonly' if receiving else 'recvonly'}" in section


def test_a_slot_is_one_stream_of_two_constant_sources() -> None:
    """Audio and video of a slot share the stream id, so that the browser keeps lips in sync; video has RTX."""
    sections = answered(make_offer(slots=2))
    audio, video = sections[6:8]
    assert "a=msid:s1 a1" in audio
    assert "a=ssrc:101 cname:s1" in audio
    assert "a=msid:s1 v1" in video
    assert "a=ssrc-group:FID 102 103" in video
    assert "a=ssrc:103 cname:s1" in video


def test_simulcast_is_taken_as_offered() -> None:
    """Each stream by its name, in the client's order, and the extensions that tell them apart (RFC 8852, RFC 8853)."""
    _, microphone, camera, screen, *_ = answered(make_offer(rids=("q", "h", "f")))
    assert "a=rid:q recv\na=rid:h recv\na=rid:f recv\na=simulcast:recv q;h;f" in camera
    assert "a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id" in camera
    assert "a=extmap:11 urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id" in camera
    assert "a=rid" not in microphone + screen


def test_packets_are_counted_where_the_client_can() -> None:
    """Transport-wide numbers both ways, with the client's id, as an extension and as a feedback of each codec."""
    _, microphone, camera, _, audio, video = answered(make_offer(transport_cc=True))
    for section, payload_type in ((microphone, 111), (camera, 96), (audio, 111), (video, 96)):
        assert "a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01" in section
        assert f"a=rtcp-fb:{payload_type} transport-cc" in section
    long_id = make_offer(transport_cc=True).replace("a=extmap:3 ", "a=extmap:15 ")
    assert "transport-wide" not in "".join(answered(long_id))


def test_extensions_may_have_ids_of_two_bytes() -> None:
    """RFC 8285 sections 4.3 and 6: up to 255 they stand in packets; from 4096 on they ask for another."""
    text = make_offer(rids=("q", "h")).replace("a=extmap:10 ", "a=extmap:20 ").replace("a=extmap:4 ", "a=extmap:255 ")
    _, microphone, camera, *_ = answered(text.replace("a=extmap:1 ", "a=extmap:4096 "))
    assert "a=extmap:20 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id" in camera
    assert "a=extmap:255 urn:ietf:params:rtp-hdrext:sdes:mid" in camera
    assert "audio-level" not in microphone


def test_slots_take_every_codec_we_know_and_silence_need_not_be_sent() -> None:
    """In our order with the retransmission format of each; the microphone may use DTX (RFC 7587 section 6.1)."""
    _, microphone, _, _, voice, picture = answered((RECORDED / "firefox.sdp").read_text())
    assert picture.startswith("m=video 5000 UDP/TLS/RTP/SAVPF 120 124 121 125")
    assert "a=fmtp:125 apt=121" in picture
    assert "usedtx=1" in microphone
    assert _configurations(microphone) == _configurations(voice)


def _configurations(section: str) -> list[str]:
    return sorted(line for line in section.splitlines() if line.startswith(("a=rtpmap:", "a=fmtp:")))


@pytest.mark.parametrize("name", OFFERS)
def test_a_payload_type_means_one_thing_in_the_bundle(name: str) -> None:
    """RFC 8843 section 9.1: what is said of it is the same in each section; libwebrtc is about to insist on it."""
    _, *sections = answered((RECORDED / f"{name}.sdp").read_text())
    said: dict[str, set[str]] = {}
    for section in sections:
        for line in _configurations(section):
            attribute, _, value = line.partition(" ")
            said.setdefault(attribute, set()).add(value)
    assert [values for values in said.values() if len(values) > 1] == []


def test_redundancy_comes_first_where_it_is_offered() -> None:
    """What stands first is sent; without RED there is Opus."""
    sections = answered((RECORDED / "chromium.sdp").read_text())
    assert sections[1].startswith("m=audio 5000 UDP/TLS/RTP/SAVPF 63 111\n")
    assert "a=fmtp:63 111/111" in sections[1]
    assert answered(make_offer())[1].startswith("m=audio 5000 UDP/TLS/RTP/SAVPF 111\n")


def test_extensions_keep_the_ids_of_the_client() -> None:
    """Only what we read is taken: the MID anywhere, the level where the client speaks."""
    _, microphone, _, _, slot, _ = answered((RECORDED / "aiortc.sdp").read_text())
    assert "a=extmap:2 urn:ietf:params:rtp-hdrext:ssrc-audio-level" in microphone
    assert "audio-level" not in slot
    assert "abs-send-time" not in "".join(answered((RECORDED / "chromium.sdp").read_text()))


def test_lines_beyond_the_agreed_ones_are_refused() -> None:
    """A third camera line and a data channel get port 0 and stay out of the bundle."""
    text = make_offer(slots=0)
    third = text[text.rindex("m=video") :].replace("a=mid:2", "a=mid:3")
    data = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\nc=IN IP4 0.0.0.0\na=mid:4\na=sctp-port:5000\n"
    session, *sections = answered(text.replace("BUNDLE 0 1 2", "BUNDLE 0 1 2 3 4") + third + data)
    assert sections[3].startswith("m=video 0 ")
    assert sections[4].startswith("m=application 0 UDP/DTLS/SCTP webrtc-datachannel")
    assert "a=group:BUNDLE 0 1 2" in session.splitlines()


@pytest.mark.parametrize(
    ("port", "fragment", "joined"), [(9, "", True), (9, "other", False), (4000, "", False), (9, "abcd", True)]
)
def test_a_refused_line_has_candidates_only_on_the_transport_of_all(port: int, fragment: str, joined: bool) -> None:
    """Aiortc takes the last line's candidates for those of its transport, and connects each transport that has some."""
    text = make_offer(slots=0).replace("BUNDLE 0 1 2", "BUNDLE 0 1 2 3").replace("m=audio 9", "m=audio 5000")
    own = parse_offer(make_offer(slots=0)).ufrag if fragment == "abcd" else fragment
    data = f"m=application {port} UDP/DTLS/SCTP webrtc-datachannel\nc=IN IP4 0.0.0.0\na=mid:3\n"
    refused = answered(text + data + (f"a=ice-ufrag:{own}\n" if own else ""))[4]
    assert refused.startswith("m=application 0 ")
    assert ("a=candidate:" in refused) == ("a=end-of-candidates" in refused) == joined


def test_a_line_that_is_over_is_mirrored_without_a_name() -> None:
    """RFC 8829 section 5.3.1: it keeps its place, with port 0."""
    text = make_offer(slots=0).replace("m=audio 9", "m=audio 0", 1).replace("a=mid:0\n", "")
    session, *sections = answered(text.replace("BUNDLE 0 1 2", "BUNDLE 1 2"))
    assert sections[0].startswith("m=audio 0 ")
    assert "a=mid" not in sections[0]
    assert "a=group:BUNDLE 1 2" in session


def test_the_bundle_keeps_its_order() -> None:
    """Its first section is whose transport is used (RFC 8843 section 7.3.1), wherever it stands."""
    text = make_offer(slots=0).replace("BUNDLE 0 1 2", "BUNDLE 2 0 1")
    assert "a=group:BUNDLE 2 0 1" in answered(text)[0]


def test_a_line_without_our_codec_is_refused() -> None:
    """H.264 alone: no picture, but the voice is taken."""
    sections = answered(make_offer(slots=1).replace("VP8/90000", "H264/90000"))
    assert sections[1].startswith("m=audio 5000 ")
    assert all(section.startswith("m=video 0 ") for section in sections if section.startswith("m=video"))


def test_purposes_follow_the_order_of_lines() -> None:
    """First audio line is the microphone, first video line the camera, the second the screen."""
    plan = plan_lines(parse_offer(make_offer(slots=2)))
    assert {purpose: line.section.mid for purpose, line in plan.send.items()} == {
        SendLine.MICROPHONE: "0",
        SendLine.CAMERA: "1",
        SendLine.SCREEN: "2",
    }
    assert mids_of_slots(plan) == [("3", "4"), ("5", "6")]


def mids_of_slots(plan: LinePlan) -> list[tuple[str, str | None]]:
    """Of voice and picture."""
    return [(pair.audio.section.mid, pair.video.section.mid if pair.video else None) for pair in plan.slots]


def test_slots_may_be_for_voices_alone() -> None:
    """Some, or all: a client that wants no pictures spends no lines on them. A picture without a voice is refused."""
    assert mids_of_slots(plan_lines(parse_offer(make_offer(slots=1, voices=2)))) == [
        ("3", "4"),
        ("5", None),
        ("6", None),
    ]
    sections = answered(make_offer(slots=0, voices=2))
    assert [section.splitlines()[0] for section in sections[4:]] == ["m=audio 5000 UDP/TLS/RTP/SAVPF 111"] * 2
    assert ["a=msid:s0 a0" in sections[4], "a=msid:s1 a1" in sections[5]] == [True, True]
    text = make_offer(slots=0, voices=1).replace("a=recvonly", "a=inactive")
    assert not plan_lines(parse_offer(text)).slots


def test_the_answer_is_understood_by_another_stack() -> None:
    """Another reader, that of aiortc, gets back the sources, the payload formats and the transport."""
    text = "".join(section.rstrip("\n") + "\n" for section in answered((RECORDED / "firefox.sdp").read_text()))
    parsed = SessionDescription.parse(text)
    assert [media.kind for media in parsed.media] == ["audio", "video", "video", "audio", "video"]
    assert [ssrc.ssrc for ssrc in parsed.media[4].ssrc] == [2, 3]
    formats = [codec.mimeType for codec in parsed.media[1].rtp.codecs]
    assert formats == ["video/VP8", "video/rtx", "video/VP9", "video/rtx"]
    assert all(media.ice is not None and media.ice.iceLite for media in parsed.media)
