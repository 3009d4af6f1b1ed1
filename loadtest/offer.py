# SPDX-License-Identifier: Apache-2.0
"""The offer of a virtual participant and what its answer says (RFC 8829): the lines that a browser offers too.

Order of the lines: microphone, camera, screen share (reserved), then pairs of audio and video slots.
"""

from __future__ import annotations

from typing import Final

from aiortc.sdp import MediaDescription, SessionDescription
from msgspec import Struct

from loadtest.camera import Numbers
from loadtest.ice import Remote
from loadtest.receiver import Kind, Line
from loadtest.rtp import (
    AUDIO_PAYLOAD_TYPE,
    LEVEL_ID,
    MID_ID,
    RED_PAYLOAD_TYPE,
    REPAIRED_RID_ID,
    RID_ID,
    RTX_PAYLOAD_TYPE,
    TRANSPORT_ID,
    VIDEO_PAYLOAD_TYPE,
)

MICROPHONE_MID: Final = "0"
CAMERA_MID: Final = "1"
SCREEN_MID: Final = "2"
_SENT_LINES: Final = 3

_SDES: Final = "urn:ietf:params:rtp-hdrext:sdes:"
_TRANSPORT_URI: Final = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
_LEVEL: Final = f"a=extmap:{LEVEL_ID} urn:ietf:params:rtp-hdrext:ssrc-audio-level"
_EXTENSIONS: Final = (f"a=extmap:{TRANSPORT_ID} {_TRANSPORT_URI}", f"a=extmap:{MID_ID} {_SDES}mid")
_RIDS: Final = (
    f"a=extmap:{RID_ID} {_SDES}rtp-stream-id",
    f"a=extmap:{REPAIRED_RID_ID} {_SDES}repaired-rtp-stream-id",
)
_RED: Final = (
    f"a=rtpmap:{RED_PAYLOAD_TYPE} red/48000/2",
    f"a=fmtp:{RED_PAYLOAD_TYPE} {AUDIO_PAYLOAD_TYPE}/{AUDIO_PAYLOAD_TYPE}",
)
_OPUS: Final = (
    f"a=rtpmap:{AUDIO_PAYLOAD_TYPE} opus/48000/2",
    f"a=rtcp-fb:{AUDIO_PAYLOAD_TYPE} transport-cc",
    f"a=fmtp:{AUDIO_PAYLOAD_TYPE} minptime=10;useinbandfec=1",
)
_VP8: Final = (
    f"a=rtpmap:{VIDEO_PAYLOAD_TYPE} VP8/90000",
    *(f"a=rtcp-fb:{VIDEO_PAYLOAD_TYPE} {feedback}" for feedback in ("transport-cc", "ccm fir", "nack", "nack pli")),
    f"a=rtpmap:{RTX_PAYLOAD_TYPE} rtx/90000",
    f"a=fmtp:{RTX_PAYLOAD_TYPE} apt={VIDEO_PAYLOAD_TYPE}",
)


class Local(Struct, frozen=True):
    """Our side: transport, and the SSRCs of what we may send.

    `rids` are the layers of the camera, the smallest first; they are found by their RID, so that `camera` is not said.
    """

    ufrag: str
    pwd: str
    fingerprint: str
    microphone: int
    camera: Numbers
    screen: Numbers
    rids: tuple[str, ...] = ()
    red: bool = False
    """Whether the microphone would send redundant sound."""


class Answer(Struct, frozen=True):
    """What is needed to connect and to understand what arrives; `lines` by SSRC, `repairs` by that of their RTX."""

    remote: Remote
    fingerprint: str
    lines: dict[int, Line]
    repairs: dict[int, Line]
    numbered: bool
    """Whether what we send has transport-wide numbers."""
    red: bool
    """Whether redundant sound may be sent."""


class BadAnswer(ValueError):
    """The answer lacks something that a peer cannot do without."""


def build_offer(local: Local, slots: int, cname: str) -> str:
    """A complete offer with this many pairs of receive lines; it has no candidates, a lite agent needs none."""
    kinds = [Kind.AUDIO, Kind.VIDEO, Kind.VIDEO, *[Kind.AUDIO, Kind.VIDEO] * slots]
    sent = (_microphone(local, cname), _camera(local, cname), _sources(local.screen, SCREEN_MID, cname))
    lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0"]
    lines += [f"a=group:BUNDLE {' '.join(str(mid) for mid in range(len(kinds)))}", "a=msid-semantic: WMS *"]
    for mid, kind in enumerate(kinds):
        lines += _section(local, mid, kind)
        lines += ["a=sendonly", *sent[mid]] if mid < _SENT_LINES else ["a=recvonly"]
    return "\r\n".join(lines) + "\r\n"


def read_answer(text: str) -> Answer:
    """The slots are the pairs of lines on which the server sends, in their order."""
    media = SessionDescription.parse(text).media
    if not media or media[0].dtls is None or media[0].ice is None:
        raise BadAnswer("no transport")
    ufrag, pwd = media[0].ice.usernameFragment, media[0].ice.password
    prints = {item.algorithm: item.value for item in media[0].dtls.fingerprints}
    best_first = sorted(media[0].ice_candidates, key=lambda candidate: -candidate.priority)
    candidates = tuple((item.ip, item.port) for item in best_first if item.protocol.lower() == "udp")
    if not (ufrag and pwd and candidates and "sha-256" in prints):
        raise BadAnswer("incomplete transport")
    lines, repairs = _lines(media[_SENT_LINES:])
    sent = media[:_SENT_LINES]
    return Answer(
        remote=Remote(ufrag, pwd, candidates),
        fingerprint=prints["sha-256"],
        lines=lines,
        repairs=repairs,
        numbered=any(item.uri == _TRANSPORT_URI for line in sent for item in line.rtp.headerExtensions),
        red=RED_PAYLOAD_TYPE in sent[0].fmt,
    )


def _section(local: Local, mid: int, kind: Kind) -> list[str]:
    audio = kind is Kind.AUDIO
    red = audio and local.red
    payload_types = (AUDIO_PAYLOAD_TYPE,) if audio else (VIDEO_PAYLOAD_TYPE, RTX_PAYLOAD_TYPE)
    return [
        f"m={kind} 9 UDP/TLS/RTP/SAVPF {' '.join(map(str, ((RED_PAYLOAD_TYPE,) if red else ()) + payload_types))}",
        "c=IN IP4 0.0.0.0",
        f"a=mid:{mid}",
        f"a=ice-ufrag:{local.ufrag}",
        f"a=ice-pwd:{local.pwd}",
        f"a=fingerprint:sha-256 {local.fingerprint}",
        "a=setup:actpass",
        "a=rtcp-mux",
        *_EXTENSIONS,
        *([_LEVEL] if audio else []),
        *(_RED if red else ()),
        *(_OPUS if audio else _VP8),
    ]


def _microphone(local: Local, cname: str) -> list[str]:
    return [f"a=msid:{cname} {MICROPHONE_MID}", f"a=ssrc:{local.microphone} cname:{cname}"]


def _camera(local: Local, cname: str) -> list[str]:
    if not local.rids:
        return _sources(local.camera, CAMERA_MID, cname)
    layers = [f"a=rid:{rid} send" for rid in local.rids]
    return [f"a=msid:{cname} {CAMERA_MID}", *_RIDS, *layers, f"a=simulcast:send {';'.join(local.rids)}"]


def _sources(numbers: Numbers, mid: str, cname: str) -> list[str]:
    return [
        f"a=msid:{cname} {mid}",
        f"a=ssrc-group:FID {numbers.ssrc} {numbers.rtx_ssrc}",
        *(f"a=ssrc:{ssrc} cname:{cname}" for ssrc in (numbers.ssrc, numbers.rtx_ssrc)),
    ]


def _lines(media: list[MediaDescription]) -> tuple[dict[int, Line], dict[int, Line]]:
    lines: dict[int, Line] = {}
    repairs: dict[int, Line] = {}
    for position, description in enumerate(media):
        if description.direction != "sendonly" or not description.ssrc:
            continue
        pairs = [[int(ssrc) for ssrc in group.items] for group in description.ssrc_group if group.semantic == "FID"]
        ssrc = pairs[0][0] if pairs else description.ssrc[0].ssrc
        line = lines[ssrc] = Line(position // 2, Kind(description.kind), ssrc)
        if pairs:
            repairs[pairs[0][1]] = line
    return lines, repairs
