# SPDX-License-Identifier: Apache-2.0
"""The answer to an accepted offer: ICE-lite, one bundle, fixed send lines and slots (RFC 8829, RFC 8843)."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from msgspec import Struct

from server.media.sdp import LEVEL_URI, MID_URI, Direction, MediaKind, Offer, Section


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


class SlotLines(Struct, frozen=True):
    """The pair of m-sections of one slot."""

    audio: Section
    video: Section


class LinePlan(Struct, frozen=True):
    """Which of the offered sections are used, and for what."""

    send: dict[SendLine, Section]
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
    send: dict[SendLine, Section] = {}
    receive: dict[MediaKind, list[Section]] = {MediaKind.AUDIO: [], MediaKind.VIDEO: []}
    for section in offer.sections:
        if not section.usable:
            continue
        if section.direction is Direction.RECVONLY:
            receive[section.kind].append(section)
        elif section.direction in (Direction.SENDONLY, Direction.SENDRECV):
            free = [line for line in _SEND_ORDER[section.kind] if line not in send]
            if free:
                send[free[0]] = section
    pairs = zip(receive[MediaKind.AUDIO], receive[MediaKind.VIDEO], strict=False)
    return LinePlan(send=send, slots=tuple(SlotLines(audio=audio, video=video) for audio, video in pairs))


def answer(offer: Offer, local: Local, ssrcs: tuple[SlotSsrcs, ...]) -> str:
    """The complete SDP answer; `ssrcs` has one entry per slot of `plan_lines(offer)`."""
    plan = plan_lines(offer)
    slots: dict[str, list[str]] = {}
    for index, (pair, slot) in enumerate(zip(plan.slots, ssrcs, strict=True)):
        slots[pair.audio.mid] = _slot_audio(index, slot)
        slots[pair.video.mid] = _slot_video(index, slot, rtx=_has_rtx(pair.video))
    sent = {section.mid for section in plan.send.values()}
    accepted = [section.mid for section in offer.sections if section.mid in sent or section.mid in slots]
    lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=ice-lite"]
    if accepted:
        lines.append(f"a=group:BUNDLE {' '.join(accepted)}")
    lines.append("a=msid-semantic: WMS *")
    for section in offer.sections:
        if section.mid in sent:
            lines += _accepted(section, local, "recvonly", [])
        elif section.mid in slots:
            lines += _accepted(section, local, "sendonly", slots[section.mid])
        else:
            lines += [f"m={section.media} 0 {section.protocol} {section.formats}", "c=IN IP4 0.0.0.0"]
            lines += [f"a=mid:{section.mid}", "a=inactive"]
    return "\r\n".join(lines) + "\r\n"


def _accepted(section: Section, local: Local, direction: str, tail: list[str]) -> list[str]:
    assert section.codec is not None
    payload_types = [section.codec.payload_type]
    if section.codec.rtx_payload_type is not None:
        payload_types.append(section.codec.rtx_payload_type)
    first = local.candidates[0]
    lines = [
        f"m={section.media} {first.port} {section.protocol} {' '.join(map(str, payload_types))}",
        f"c=IN IP{_version(first.address)} {first.address}",
        f"a=mid:{section.mid}",
        f"a=ice-ufrag:{local.ufrag}",
        f"a=ice-pwd:{local.pwd}",
        f"a=fingerprint:sha-256 {local.fingerprint}",
        "a=setup:passive",
        f"a={direction}",
        "a=rtcp-mux",
    ]
    if section.reduced_size:
        lines.append("a=rtcp-rsize")
    lines += _codec_lines(section)
    lines += _extension_lines(section)
    lines += tail
    lines += [_candidate(index, candidate) for index, candidate in enumerate(local.candidates)]
    return [*lines, "a=end-of-candidates"]


def _codec_lines(section: Section) -> list[str]:
    codec = section.codec
    assert codec is not None
    payload_type = codec.payload_type
    if section.kind is MediaKind.AUDIO:
        lines = [f"a=rtpmap:{payload_type} opus/48000/2"]
        return lines + ([f"a=fmtp:{payload_type} {codec.parameters}"] if codec.parameters else [])
    lines = [f"a=rtpmap:{payload_type} VP8/90000"]
    lines += [f"a=rtcp-fb:{payload_type} {name}" for name in _FEEDBACK if name in codec.feedback]
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


def _slot_video(index: int, slot: SlotSsrcs, *, rtx: bool) -> list[str]:
    lines = [f"a=msid:s{index} v{index}"]
    if rtx:
        lines.append(f"a=ssrc-group:FID {slot.video} {slot.video_rtx}")
    lines.append(f"a=ssrc:{slot.video} cname:s{index}")
    if rtx:
        lines.append(f"a=ssrc:{slot.video_rtx} cname:s{index}")
    return lines


def _has_rtx(section: Section) -> bool:
    return section.codec is not None and section.codec.rtx_payload_type is not None


def _candidate(index: int, candidate: Candidate) -> str:
    return f"a=candidate:{index + 1} 1 udp {candidate.priority} {candidate.address} {candidate.port} typ host"


def _version(address: str) -> int:
    return 6 if ":" in address else 4
