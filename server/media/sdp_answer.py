# SPDX-License-Identifier: Apache-2.0
"""The answer to an accepted offer: ICE-lite, one bundle, fixed send lines and slots (RFC 8829, RFC 8843)."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from msgspec import Struct

from server.media.sdp import LEVEL_URI, MID_URI, Codec, Direction, MediaKind, Offer, Section


class SendLine(StrEnum):
    """What a line on which the client sends is for."""

    MICROPHONE = "microphone"
    CAMERA = "camera"
    SCREEN = "screen"


class SlotSsrcs(Struct, frozen=True):
    """The synchronisation sources of one slot: constant for the life of the connection."""

    audio: int
    video: int
    video_rtx: int


class MediaLine(Struct, frozen=True):
    """A section in use, with the codec that both sides speak."""

    section: Section
    codec: Codec


class SlotLines(Struct, frozen=True):
    """The pair of m-sections of one slot."""

    audio: MediaLine
    video: MediaLine


class LinePlan(Struct, frozen=True):
    """Which of the offered sections are used, and for what."""

    send: dict[SendLine, MediaLine]
    slots: tuple[SlotLines, ...]


class Candidate(Struct, frozen=True):
    """One address of ours that a client may check; UDP, component 1."""

    address: str
    port: int
    priority: int


class Local(Struct, frozen=True):
    """Our side of the transport of one connection."""

    ufrag: str
    pwd: str
    fingerprint: str
    candidates: tuple[Candidate, ...]


_SEND_ORDER: Final = {
    MediaKind.AUDIO: (SendLine.MICROPHONE,),
    MediaKind.VIDEO: (SendLine.CAMERA, SendLine.SCREEN),
    MediaKind.OTHER: (),
}
_FEEDBACK: Final = ("goog-remb", "ccm fir", "nack", "nack pli")


def plan_lines(offer: Offer) -> LinePlan:
    """First audio line sent is the microphone, first video line the camera, second the screen; receive lines pair up.

    Lines beyond that are refused in the answer, so that nobody sends more tracks than we know.
    """
    send: dict[SendLine, MediaLine] = {}
    receive: dict[MediaKind, list[MediaLine]] = {MediaKind.AUDIO: [], MediaKind.VIDEO: []}
    for section in offer.sections:
        if section.rejected or section.codec is None:
            continue
        line = MediaLine(section=section, codec=section.codec)
        if section.direction is Direction.RECVONLY:
            receive[section.kind].append(line)
        elif section.direction in (Direction.SENDONLY, Direction.SENDRECV):
            free = [purpose for purpose in _SEND_ORDER[section.kind] if purpose not in send]
            if free:
                send[free[0]] = line
    pairs = zip(receive[MediaKind.AUDIO], receive[MediaKind.VIDEO], strict=False)
    return LinePlan(send=send, slots=tuple(SlotLines(audio=audio, video=video) for audio, video in pairs))


def answer(offer: Offer, local: Local, ssrcs: tuple[SlotSsrcs, ...]) -> str:
    """The complete SDP answer; `ssrcs` has one entry per slot of `plan_lines(offer)`."""
    plan = plan_lines(offer)
    accepted = {line.section.mid: _accepted(line, local, "recvonly", []) for line in plan.send.values()}
    for index, (pair, slot) in enumerate(zip(plan.slots, ssrcs, strict=True)):
        accepted[pair.audio.section.mid] = _accepted(pair.audio, local, "sendonly", _slot_audio(index, slot))
        accepted[pair.video.section.mid] = _accepted(
            pair.video, local, "sendonly", _slot_video(index, slot, pair.video)
        )
    bundle = " ".join(section.mid for section in offer.sections if section.mid in accepted)
    lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=ice-lite"]
    lines += [f"a=group:BUNDLE {bundle}"] if bundle else []
    lines.append("a=msid-semantic: WMS *")
    for section in offer.sections:
        lines += accepted.get(section.mid) or _refused(section)
    return "\r\n".join(lines) + "\r\n"


def _refused(section: Section) -> list[str]:
    """Port 0, and out of the bundle (RFC 8843 section 7.3.3)."""
    head = f"m={section.media} 0 {section.protocol} {section.formats}"
    return [head, "c=IN IP4 0.0.0.0", f"a=mid:{section.mid}", "a=inactive"]


def _accepted(line: MediaLine, local: Local, direction: str, tail: list[str]) -> list[str]:
    section, codec = line.section, line.codec
    formats = str(codec.payload_type)
    if codec.rtx_payload_type is not None:
        formats += f" {codec.rtx_payload_type}"
    first = local.candidates[0]
    lines = [
        f"m={section.media} {first.port} {section.protocol} {formats}",
        f"c=IN IP{_version(first.address)} {first.address}",
        f"a=mid:{section.mid}",
        f"a=ice-ufrag:{local.ufrag}",
        f"a=ice-pwd:{local.pwd}",
        f"a=fingerprint:sha-256 {local.fingerprint}",
        "a=setup:passive",
        f"a={direction}",
        "a=rtcp-mux",
    ]
    lines += ["a=rtcp-rsize"] if section.reduced_size else []
    lines += _codec_lines(section.kind, codec) + _extension_lines(section) + tail
    lines += [_candidate(index, candidate) for index, candidate in enumerate(local.candidates)]
    return [*lines, "a=end-of-candidates"]


def _codec_lines(kind: MediaKind, codec: Codec) -> list[str]:
    payload_type = codec.payload_type
    name = "opus/48000/2" if kind is MediaKind.AUDIO else "VP8/90000"
    lines = [f"a=rtpmap:{payload_type} {name}"]
    if kind is MediaKind.VIDEO:
        lines += [f"a=rtcp-fb:{payload_type} {feedback}" for feedback in _FEEDBACK if feedback in codec.feedback]
    if codec.parameters:
        lines.append(f"a=fmtp:{payload_type} {codec.parameters}")
    if codec.rtx_payload_type is not None:
        lines += [f"a=rtpmap:{codec.rtx_payload_type} rtx/90000", f"a=fmtp:{codec.rtx_payload_type} apt={payload_type}"]
    return lines


_MIRRORED: Final = {"": "", "/sendonly": "/recvonly", "/recvonly": "/sendonly", "/sendrecv": "/sendrecv"}


def _extension_lines(section: Section) -> list[str]:
    """Only what we read: who sends (MID) and how loud (RFC 6464). Ids are the client's, RFC 8285 section 6."""
    wanted = (MID_URI, LEVEL_URI) if section.direction is not Direction.RECVONLY else (MID_URI,)
    return [
        f"a=extmap:{extension.id}{_MIRRORED[extension.suffix]} {extension.uri}"
        for extension in section.extensions
        if extension.uri in wanted and extension.suffix in _MIRRORED
    ]


def _slot_audio(index: int, slot: SlotSsrcs) -> list[str]:
    return [f"a=msid:s{index} a{index}", f"a=ssrc:{slot.audio} cname:s{index}"]


def _slot_video(index: int, slot: SlotSsrcs, line: MediaLine) -> list[str]:
    sources = [slot.video]
    lines = [f"a=msid:s{index} v{index}"]
    if line.codec.rtx_payload_type is not None:
        sources.append(slot.video_rtx)
        lines.append(f"a=ssrc-group:FID {slot.video} {slot.video_rtx}")
    return lines + [f"a=ssrc:{ssrc} cname:s{index}" for ssrc in sources]


def _candidate(index: int, candidate: Candidate) -> str:
    return f"a=candidate:{index + 1} 1 udp {candidate.priority} {candidate.address} {candidate.port} typ host"


def _version(address: str) -> int:
    return 6 if ":" in address else 4
