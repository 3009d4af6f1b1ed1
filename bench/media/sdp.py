# SPDX-License-Identifier: Apache-2.0
"""The descriptions of the bench's clients: the same codecs and feedback for every server that is compared."""

from __future__ import annotations

from typing import Final

from aiortc.sdp import MediaDescription, SessionDescription
from msgspec import Struct

from loadtest.ice import Remote

OPUS: Final = 111
VP8: Final = 96
RTX: Final = 97
LEVEL_ID: Final = 1
WIDE_ID: Final = 3
MID_ID: Final = 4
MICROPHONE_MID: Final = "0"
CAMERA_MID: Final = "1"
_LEVEL_URI: Final = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
_WIDE_URI: Final = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
_MID_URI: Final = "urn:ietf:params:rtp-hdrext:sdes:mid"


class Local(Struct, frozen=True):
    """Our side of a transport. `feedback`: whether transport-wide feedback, NACK and RTX are offered."""

    ufrag: str
    pwd: str
    fingerprint: str
    feedback: bool


class BadDescription(ValueError):
    """What the server described cannot be used."""


class Described(Struct, frozen=True):
    """The server's side, and the SSRCs on which it sends, in the order of the lines."""

    remote: Remote
    fingerprint: str
    ssrcs: tuple[int, ...]


def offer(local: Local, microphone: int, camera: int, slots: int) -> str:
    """A microphone and a camera with these SSRCs, and pairs of lines to receive. We shake hands as the DTLS client."""
    kinds = ["audio", "video"] * (1 + slots)
    sources = [microphone, camera]
    lines = _head([str(mid) for mid in range(len(kinds))])
    for mid, kind in enumerate(kinds):
        lines += _section(local, str(mid), kind)
        lines += ["a=sendonly", f"a=ssrc:{sources[mid]} cname:bench"] if mid < len(sources) else ["a=recvonly"]
    return "\r\n".join(lines) + "\r\n"


def answer(local: Local, offered: str) -> str:
    """Receive everything that is offered; the payload types are the offer's, which must be ours."""
    media = SessionDescription.parse(offered).media
    lines = _head([description.rtp.muxId for description in media])
    for description in media:
        wanted = OPUS if description.kind == "audio" else VP8
        if wanted not in description.fmt:
            raise BadDescription(f"no payload type {wanted}")
        lines += [*_section(local, description.rtp.muxId, description.kind), "a=recvonly"]
    return "\r\n".join(lines) + "\r\n"


def read(text: str) -> Described:
    """The transport of the first section, and what is sent on all of them."""
    media = SessionDescription.parse(text).media
    if not media or media[0].dtls is None or media[0].ice is None:
        raise BadDescription("no transport")
    first = media[0]
    ufrag, pwd = media[0].ice.usernameFragment, media[0].ice.password
    prints = {item.algorithm: item.value for item in media[0].dtls.fingerprints}
    candidates = tuple(
        (candidate.ip, candidate.port)
        for candidate in first.ice_candidates
        if candidate.protocol.lower() == "udp" and ":" not in candidate.ip
    )
    if not (ufrag and pwd and candidates and "sha-256" in prints):
        raise BadDescription("incomplete transport")
    ssrcs = tuple(ssrc for description in media for ssrc in _sent(description))
    return Described(Remote(ufrag, pwd, candidates), prints["sha-256"], ssrcs)


WIDE_AT: Final = 5
"""Where `extension` has the transport-wide number."""

_HEAD_BYTES: Final = 4
_WIDE_BYTES: Final = 3


def extension(mid: str, level: int | None, *, feedback: bool) -> bytes:
    """A header extension (RFC 8285 section 4.2): room for the transport-wide number, the level of a voice, and MID."""
    body = bytes([WIDE_ID << 4 | 1, 0, 0]) if feedback else b""
    if level is not None:
        body += bytes([LEVEL_ID << 4, 0x80 | level])
    body += bytes([MID_ID << 4 | len(mid) - 1]) + mid.encode()
    body += bytes(-len(body) % 4)
    return b"\xbe\xde" + (len(body) // 4).to_bytes(2) + body


def level_at(*, feedback: bool) -> int:
    """Where `extension` has the level of a voice."""
    return _HEAD_BYTES + (_WIDE_BYTES if feedback else 0) + 1


def _sent(description: MediaDescription) -> list[int]:
    """The first SSRC of a section on which the server sends; the second one is for retransmissions."""
    return [description.ssrc[0].ssrc] if description.direction == "sendonly" and description.ssrc else []


def _head(mids: list[str]) -> list[str]:
    bundle = f"a=group:BUNDLE {' '.join(mids)}"
    return ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", bundle, "a=msid-semantic: WMS *"]


def _section(local: Local, mid: str, kind: str) -> list[str]:
    codec = _audio(feedback=local.feedback) if kind == "audio" else _video(feedback=local.feedback)
    pictures = f"{VP8} {RTX}" if local.feedback else f"{VP8}"
    return [
        f"m={kind} 9 UDP/TLS/RTP/SAVPF {pictures if kind == 'video' else OPUS}",
        "c=IN IP4 0.0.0.0",
        f"a=mid:{mid}",
        f"a=ice-ufrag:{local.ufrag}",
        f"a=ice-pwd:{local.pwd}",
        f"a=fingerprint:sha-256 {local.fingerprint}",
        "a=setup:active",
        "a=rtcp-mux",
        f"a=extmap:{MID_ID} {_MID_URI}",
        *codec,
    ]


def _audio(*, feedback: bool) -> list[str]:
    return [
        f"a=extmap:{LEVEL_ID} {_LEVEL_URI}",
        f"a=rtpmap:{OPUS} opus/48000/2",
        f"a=fmtp:{OPUS} minptime=10;useinbandfec=1",
        *(_wide(OPUS) if feedback else []),
    ]


def _video(*, feedback: bool) -> list[str]:
    lines = [f"a=rtpmap:{VP8} VP8/90000", f"a=rtcp-fb:{VP8} ccm fir", f"a=rtcp-fb:{VP8} nack pli"]
    if feedback:
        lines += [f"a=rtcp-fb:{VP8} nack", f"a=rtpmap:{RTX} rtx/90000", f"a=fmtp:{RTX} apt={VP8}", *_wide(VP8)]
    return lines


def _wide(payload_type: int) -> list[str]:
    return [f"a=extmap:{WIDE_ID} {_WIDE_URI}", f"a=rtcp-fb:{payload_type} transport-cc"]
