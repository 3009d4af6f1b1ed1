# SPDX-License-Identifier: Apache-2.0
"""The offer of a virtual participant and what its answer says (RFC 8829): the lines that a browser offers too.

Order of the lines: microphone, camera, screen share (reserved), then pairs of audio and video slots.
"""

from __future__ import annotations

from typing import Final

from aiortc.sdp import MediaDescription, SessionDescription
from msgspec import Struct

from loadtest.ice import Remote
from loadtest.receiver import Kind, Line
from loadtest.sender import AUDIO_PAYLOAD_TYPE, LEVEL_ID, MID_ID, VIDEO_PAYLOAD_TYPE

MICROPHONE_MID: Final = "0"
CAMERA_MID: Final = "1"
SCREEN_MID: Final = "2"
_SENT_LINES: Final = 3

_LEVEL: Final = f"a=extmap:{LEVEL_ID} urn:ietf:params:rtp-hdrext:ssrc-audio-level"
_MID: Final = f"a=extmap:{MID_ID} urn:ietf:params:rtp-hdrext:sdes:mid"
_OPUS: Final = (
    f"a=rtpmap:{AUDIO_PAYLOAD_TYPE} opus/48000/2",
    f"a=fmtp:{AUDIO_PAYLOAD_TYPE} minptime=10;useinbandfec=1",
)
_VP8: Final = (
    f"a=rtpmap:{VIDEO_PAYLOAD_TYPE} VP8/90000",
    f"a=rtcp-fb:{VIDEO_PAYLOAD_TYPE} ccm fir",
    f"a=rtcp-fb:{VIDEO_PAYLOAD_TYPE} nack pli",
)


class Local(Struct, frozen=True):
    """Our side: transport, and the SSRCs of the three lines on which we may send."""

    ufrag: str
    pwd: str
    fingerprint: str
    microphone: int
    camera: int
    screen: int


class Answer(Struct, frozen=True):
    """What is needed to connect and to understand what arrives; `lines` by SSRC."""

    remote: Remote
    fingerprint: str
    lines: dict[int, Line]


class BadAnswer(ValueError):
    """The answer lacks something that a peer cannot do without."""


def build_offer(local: Local, slots: int, cname: str) -> str:
    """A complete offer with this many pairs of receive lines; it has no candidates, a lite agent needs none."""
    kinds = [Kind.AUDIO, Kind.VIDEO, Kind.VIDEO, *[Kind.AUDIO, Kind.VIDEO] * slots]
    ssrcs = (local.microphone, local.camera, local.screen)
    lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0"]
    lines += [f"a=group:BUNDLE {' '.join(str(mid) for mid in range(len(kinds)))}", "a=msid-semantic: WMS *"]
    for mid, kind in enumerate(kinds):
        ssrc = ssrcs[mid] if mid < _SENT_LINES else None
        lines += _section(local, mid, kind, ssrc, cname)
    return "\r\n".join(lines) + "\r\n"


def read_answer(text: str) -> Answer:
    """The slots are the pairs of lines on which the server sends, in their order."""
    media = SessionDescription.parse(text).media
    if not media or media[0].dtls is None or media[0].ice is None:
        raise BadAnswer("no transport")
    ufrag, pwd = media[0].ice.usernameFragment, media[0].ice.password
    prints = {item.algorithm: item.value for item in media[0].dtls.fingerprints}
    best_first = sorted(media[0].ice_candidates, key=lambda candidate: -candidate.priority)
    candidates = tuple((candidate.ip, candidate.port) for candidate in best_first)
    if not (ufrag and pwd and candidates and "sha-256" in prints):
        raise BadAnswer("incomplete transport")
    return Answer(Remote(ufrag, pwd, candidates), prints["sha-256"], _lines(media[_SENT_LINES:]))


def _section(local: Local, mid: int, kind: Kind, ssrc: int | None, cname: str) -> list[str]:
    payload_type, codec = (AUDIO_PAYLOAD_TYPE, _OPUS) if kind is Kind.AUDIO else (VIDEO_PAYLOAD_TYPE, _VP8)
    lines = [
        f"m={kind} 9 UDP/TLS/RTP/SAVPF {payload_type}",
        "c=IN IP4 0.0.0.0",
        f"a=mid:{mid}",
        f"a=ice-ufrag:{local.ufrag}",
        f"a=ice-pwd:{local.pwd}",
        f"a=fingerprint:sha-256 {local.fingerprint}",
        "a=setup:actpass",
        "a=rtcp-mux",
        "a=recvonly" if ssrc is None else "a=sendonly",
        _MID,
        *([_LEVEL] if kind is Kind.AUDIO else []),
        *codec,
    ]
    if ssrc is not None:
        lines += [f"a=msid:{cname} {mid}", f"a=ssrc:{ssrc} cname:{cname}"]
    return lines


def _lines(media: list[MediaDescription]) -> dict[int, Line]:
    lines: dict[int, Line] = {}
    for position, description in enumerate(media):
        if description.direction == "sendonly" and description.ssrc:
            lines[description.ssrc[0].ssrc] = Line(position // 2, Kind(description.kind))
    return lines
