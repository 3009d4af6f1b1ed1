# SPDX-License-Identifier: Apache-2.0
"""The answer to an accepted offer: ICE-lite, one bundle, fixed send lines and slots (RFC 8829, RFC 8843)."""

from __future__ import annotations

from enum import StrEnum
from itertools import zip_longest
from typing import Final

from msgspec import Struct

from server.media.reachable import Candidate
from server.media.sdp import (
    LEVEL_URI,
    MID_URI,
    REPAIRED_RID_URI,
    RID_URI,
    TRANSPORT_CC_URI,
    Direction,
    Extension,
    Offer,
    Section,
)
from server.media.sdp_codecs import Codec, CodecName, MediaKind


class SendLine(StrEnum):
    """What a line on which the client sends is for."""

    MICROPHONE = "microphone"
    CAMERA = "camera"
    SCREEN = "screen"


class SlotSsrcs(Struct, frozen=True):
    """The synchronisation sources of one slot: constant for the life of the connection.

    Those of the video are unused where there is no line for a picture.
    """

    audio: int
    video: int
    video_rtx: int


class MediaLine(Struct, frozen=True):
    """A section in use, with the codecs that both sides speak, preferred first; never empty."""

    section: Section
    codecs: tuple[Codec, ...]

    @property
    def codec(self) -> Codec:
        """The one that a client sends unless it is told otherwise."""
        return self.codecs[0]


class SlotLines(Struct, frozen=True):
    """The pair of m-sections of one slot; the last slots of a client may be for voices alone."""

    audio: MediaLine
    video: MediaLine | None


class LinePlan(Struct, frozen=True):
    """Which of the offered sections are used, and for what."""

    send: dict[SendLine, MediaLine]
    slots: tuple[SlotLines, ...]


class Local(Struct, frozen=True):
    """Our side of the transport of one connection, and which of its answers this is (RFC 8866 section 5.2)."""

    ufrag: str
    pwd: str
    fingerprint: str
    candidates: tuple[Candidate, ...]
    session: int = 1
    version: int = 1


_SEND_ORDER: Final = {
    MediaKind.AUDIO: (SendLine.MICROPHONE,),
    MediaKind.VIDEO: (SendLine.CAMERA, SendLine.SCREEN),
    MediaKind.OTHER: (),
}
_FEEDBACK: Final = {
    MediaKind.AUDIO: ("transport-cc",),
    MediaKind.VIDEO: ("goog-remb", "transport-cc", "ccm fir", "nack", "nack pli"),
    MediaKind.OTHER: (),
}
_VOICE: Final = "maxaveragebitrate=32000;useinbandfec=1;usedtx=1"
"""Speech in full band; nothing is sent in silence, which most people are in most of the time."""

_ONE_BYTE_IDS: Final = range(1, 15)
"""RFC 8285 section 4.2: the form in which we write header extensions."""

_TWO_BYTE_IDS: Final = range(1, 256)
"""RFC 8285 section 4.3: what can stand in a packet at all."""


def plan_lines(offer: Offer) -> LinePlan:
    """First audio line sent is the microphone, first video line the camera, second the screen; receive lines pair up.

    Audio lines beyond the pairs are slots without a picture. Other lines beyond that are refused in the answer, so that
    nobody sends more tracks than we know.
    """
    send: dict[SendLine, MediaLine] = {}
    receive: dict[MediaKind, list[MediaLine]] = {MediaKind.AUDIO: [], MediaKind.VIDEO: []}
    for section in offer.sections:
        if section.rejected or not section.codecs:
            continue
        line = MediaLine(section=section, codecs=section.codecs)
        if section.direction is Direction.RECVONLY:
            receive[section.kind].append(line)
        elif section.direction in (Direction.SENDONLY, Direction.SENDRECV):
            free = [purpose for purpose in _SEND_ORDER[section.kind] if purpose not in send]
            if free:
                send[free[0]] = line
    audios, videos = receive[MediaKind.AUDIO], receive[MediaKind.VIDEO]
    pairs = zip_longest(audios, videos[: len(audios)])
    return LinePlan(send=send, slots=tuple(SlotLines(audio=audio, video=video) for audio, video in pairs))


def same_lines(plan: LinePlan, earlier: LinePlan) -> bool:
    """Whether lines, streams, formats and header extensions in use are those of `earlier`, so that media can go on."""
    return (
        plan.send.keys() == earlier.send.keys()
        and len(plan.slots) == len(earlier.slots)
        and all(_same_line(line, earlier.send[purpose]) for purpose, line in plan.send.items())
        and all(
            _same_line(now.audio, before.audio) and _same_picture(now.video, before.video)
            for now, before in zip(plan.slots, earlier.slots, strict=True)
        )
    )


def _same_picture(now: MediaLine | None, before: MediaLine | None) -> bool:
    return now is before if now is None or before is None else _same_line(now, before)


def _same_line(now: MediaLine, before: MediaLine) -> bool:
    return _essence(now) == _essence(before) and _used_extensions(now) == _used_extensions(before)


def _essence(line: MediaLine) -> tuple[object, ...]:
    section = line.section
    formats = tuple((codec.name, codec.payload_type, codec.rtx_payload_type) for codec in line.codecs)
    return section.mid, section.rids, section.ssrc, section.rtx_ssrc, formats


def _used_extensions(line: MediaLine) -> set[tuple[int, str]]:
    return {(each.id, each.uri) for each in line.section.extensions if _wanted(line.section, each)}


def answer(offer: Offer, local: Local, ssrcs: tuple[SlotSsrcs, ...]) -> str:
    """The complete SDP answer; `ssrcs` has one entry per slot of `plan_lines(offer)`."""
    plan = plan_lines(offer)
    accepted = {
        line.section.mid: _accepted(line, local, "recvonly", _simulcast(line.section)) for line in plan.send.values()
    }
    for index, (pair, slot) in enumerate(zip(plan.slots, ssrcs, strict=True)):
        accepted[pair.audio.section.mid] = _accepted(pair.audio, local, "sendonly", _slot_audio(index, slot))
        if pair.video is not None:
            tail = _slot_video(index, slot, pair.video)
            accepted[pair.video.section.mid] = _accepted(pair.video, local, "sendonly", tail)
    bundle = " ".join(mid for mid in offer.bundle if mid in accepted)
    lines = ["v=0", f"o=- {local.session} {local.version} IN IP4 127.0.0.1", "s=-", "t=0 0"]
    lines += ["a=ice-lite", "a=ice-options:ice2"]
    lines += [f"a=group:BUNDLE {bundle}"] if bundle else []
    lines.append("a=msid-semantic: WMS *")
    for section in offer.sections:
        lines += accepted.get(section.mid) or _refused(section, local, apart=section.mid in offer.apart)
    return "\r\n".join(lines) + "\r\n"


def _refused(section: Section, local: Local, *, apart: bool) -> list[str]:
    """Port 0, and out of the bundle (RFC 8843 section 7.3.3). GStreamer wants a transport even of such a line.

    Aiortc takes the candidates of the last line on a transport for those of the transport; on one of its own, such a
    line must have none, or aiortc would connect it, too.
    """
    head = f"m={section.media} 0 {section.protocol} {section.formats}"
    name = [f"a=mid:{section.mid}"] if section.mid else []
    candidates = [] if apart or section.rejected else _candidates(local)
    return [head, "c=IN IP4 0.0.0.0", *name, *_transport(local), "a=inactive", *candidates]


def _accepted(line: MediaLine, local: Local, direction: str, tail: list[str]) -> list[str]:
    """RED stands first, so that it is what is sent: at 5 % loss it brings concealment from 6 % to below 1 %."""
    section = line.section
    codecs = sorted(line.codecs, key=lambda codec: codec.name is not CodecName.RED)
    formats = " ".join(str(payload_type) for codec in codecs for payload_type in _payload_types(codec))
    first = local.candidates[0]
    lines = [
        f"m={section.media} {first.port} {section.protocol} {formats}",
        f"c=IN IP{_version(first.address)} {first.address}",
        f"a=mid:{section.mid}",
        *_transport(local),
        f"a={direction}",
        "a=rtcp-mux",
    ]
    lines += ["a=rtcp-rsize"] if section.reduced_size else []
    for codec in codecs:
        lines += _codec_lines(section, codec)
    lines += _extension_lines(section) + tail
    return lines + _candidates(local)


def _candidates(local: Local) -> list[str]:
    return [*(_candidate(index, each) for index, each in enumerate(local.candidates)), "a=end-of-candidates"]


def _transport(local: Local) -> list[str]:
    return [
        f"a=ice-ufrag:{local.ufrag}",
        f"a=ice-pwd:{local.pwd}",
        f"a=fingerprint:sha-256 {local.fingerprint}",
        "a=setup:passive",
    ]


def _payload_types(codec: Codec) -> tuple[int, ...]:
    rtx = codec.rtx_payload_type
    return (codec.payload_type,) if rtx is None else (codec.payload_type, rtx)


def _codec_lines(section: Section, codec: Codec) -> list[str]:
    payload_type, rtx = codec.payload_type, codec.rtx_payload_type
    lines = [f"a=rtpmap:{payload_type} {codec.rtpmap}"]
    lines += [f"a=rtcp-fb:{payload_type} {each}" for each in _FEEDBACK[section.kind] if each in codec.feedback]
    parameters = _parameters(codec)
    if parameters:
        lines.append(f"a=fmtp:{payload_type} {parameters}")
    if rtx is not None:
        lines += [f"a=rtpmap:{rtx} rtx/{codec.clock_rate}", f"a=fmtp:{rtx} apt={payload_type}"]
    return lines


def _parameters(codec: Codec) -> str:
    """As offered; of Opus what we would like to get from a microphone (RFC 7587 section 6.1).

    In slots, too, where it means nothing: in a bundle one payload type has one configuration (RFC 8843 section 9.1).
    """
    if codec.name is not CodecName.OPUS:
        return codec.parameters
    parts = [part.strip() for part in codec.parameters.split(";")]
    return ";".join([*(part for part in parts if part.startswith("minptime=")), _VOICE])


def _simulcast(section: Section) -> list[str]:
    """Every offered stream that we take, in the client's order (RFC 8853 section 5.3.2)."""
    if not section.rids:
        return []
    lines = [f"a=rid:{rid.id} recv {rid.restrictions}".rstrip() for rid in section.rids]
    return [*lines, f"a=simulcast:recv {';'.join(rid.id for rid in section.rids)}"]


_MIRRORED: Final = {"": "", "/sendonly": "/recvonly", "/recvonly": "/sendonly", "/sendrecv": "/sendrecv"}


def _extension_lines(section: Section) -> list[str]:
    """Only what we read or write, under the ids of the client (RFC 8285 section 6)."""
    return [
        f"a=extmap:{extension.id}{_MIRRORED[extension.suffix]} {extension.uri}"
        for extension in section.extensions
        if extension.suffix in _MIRRORED and _wanted(section, extension)
    ]


def _wanted(section: Section, extension: Extension) -> bool:
    sent = section.direction is not Direction.RECVONLY
    taken = {
        MID_URI: True,
        LEVEL_URI: sent,
        RID_URI: bool(section.rids),
        REPAIRED_RID_URI: bool(section.rids),
        TRANSPORT_CC_URI: extension.id in _ONE_BYTE_IDS,
    }
    return extension.id in _TWO_BYTE_IDS and taken.get(extension.uri, False)


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
    """RFC 8839 section 5.1; the active side of TCP is the client's (RFC 6544 section 4.5)."""
    transport, kind = ("tcp", "host tcptype passive") if candidate.tcp else ("udp", "host")
    where = f"{candidate.address} {candidate.port}"
    return f"a=candidate:{index + 1} 1 {transport} {candidate.priority} {where} typ {kind}"


def _version(address: str) -> int:
    return 6 if ":" in address else 4
