# SPDX-License-Identifier: Apache-2.0
"""The payload formats that we know how to forward, as a section offers them (RFC 8866 section 6.6, RFC 4588)."""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from typing import Final

from msgspec import Struct

from server.media.sdp_lines import MOST_SHARED, Block, integer, numbered


class MediaKind(StrEnum):
    """What an m-line carries; `OTHER` is anything we take no part in, such as data channels."""

    AUDIO = "audio"
    VIDEO = "video"
    OTHER = "other"


class CodecName(StrEnum):
    """As in `a=rtpmap`. RED is Opus with earlier packets repeated in it (RFC 2198)."""

    OPUS = "opus"
    RED = "red"
    VP8 = "VP8"
    VP9 = "VP9"
    H264 = "H264"


class Codec(Struct, frozen=True):
    """One payload format of a section, with its retransmission format where offered (RFC 4588)."""

    name: CodecName
    payload_type: int
    clock_rate: int
    feedback: frozenset[str]
    parameters: str
    rtx_payload_type: int | None

    @property
    def rtpmap(self) -> str:
        """What stands behind the payload type in `a=rtpmap`."""
        return _ENCODINGS[self.name]


_ENCODINGS: Final = {
    CodecName.OPUS: "opus/48000/2",
    CodecName.RED: "red/48000/2",
    CodecName.VP8: "VP8/90000",
    CodecName.VP9: "VP9/90000",
    CodecName.H264: "H264/90000",
}
_NAMES: Final = {encoding.lower(): name for name, encoding in _ENCODINGS.items()}

_PREFERRED: Final = {
    MediaKind.AUDIO: (CodecName.OPUS, CodecName.RED),
    MediaKind.VIDEO: (CodecName.VP8, CodecName.VP9, CodecName.H264),
    MediaKind.OTHER: (),
}
"""Our order. VP8 is what every endpoint has (RFC 7742 section 5), so that nobody is left without a picture."""

_RTX: Final = "rtx/90000"
_BASELINE: Final = "42"
"""Its profiles; the one that holds where none is named (RFC 6184 section 8.1) is of them."""

_CONSTRAINED_BASELINE: Final = "42e0"
"""The H.264 profile that every endpoint has (RFC 7742 section 6.2), as `profile-level-id` begins with it."""


def codecs_of(block: Block, kind: MediaKind, formats: str) -> tuple[Codec, ...]:
    """The formats we know, at most one of each name, those we prefer first. RED counts beside its Opus only."""
    if kind is MediaKind.OTHER:
        return ()
    lines = (tuple(block.all(name)) for name in ("rtpmap", "fmtp", "rtcp-fb"))
    return _known(kind, formats, *lines)


@lru_cache(MOST_SHARED)
def _known(
    kind: MediaKind, formats: str, rtpmap: tuple[str, ...], fmtp: tuple[str, ...], feedback: tuple[str, ...]
) -> tuple[Codec, ...]:
    listed = {integer(payload_type, 0, 127) for payload_type in formats.split(" ")}
    # A format that was taken out of the m-line may have left its lines behind.
    mapped = (numbered(value) for value in rtpmap)
    encodings = {payload_type: encoding for payload_type, encoding in mapped if payload_type in listed}
    parameters = dict(numbered(value) for value in fmtp)
    chosen: dict[CodecName, int] = {}
    for payload_type, encoding in encodings.items():
        name = _NAMES.get(encoding.lower())
        if name in _PREFERRED[kind] and _understood(name, parameters.get(payload_type, "")):
            earlier = chosen.get(name)
            if earlier is None or _rank(parameters, payload_type) < _rank(parameters, earlier):
                chosen[name] = payload_type
    opus = chosen.get(CodecName.OPUS)
    if CodecName.RED in chosen and not _repeats(parameters.get(chosen[CodecName.RED], ""), opus):
        del chosen[CodecName.RED]
    retransmissions = {
        _attributes(parameters.get(payload_type, "")).get("apt"): payload_type
        for payload_type, encoding in encodings.items()
        if encoding.lower() == _RTX
    }
    return tuple(
        Codec(
            name=name,
            payload_type=chosen[name],
            clock_rate=int(_ENCODINGS[name].split("/")[1]),
            feedback=_feedback(feedback, chosen[name]),
            parameters=parameters.get(chosen[name], ""),
            rtx_payload_type=retransmissions.get(str(chosen[name])),
        )
        for name in _PREFERRED[kind]
        if name in chosen
    )


def _understood(name: CodecName | None, parameters: str) -> bool:
    """Only forms that we can read and that others can decode (RFC 6184 section 8.2.2, RFC 9628 section 6.1)."""
    attributes = _attributes(parameters)
    if name is CodecName.H264:
        profile = attributes.get("profile-level-id", _BASELINE)
        return attributes.get("packetization-mode") == "1" and profile.startswith(_BASELINE)
    if name is CodecName.VP9:
        return attributes.get("profile-id", "0") == "0"
    return True


def _rank(parameters: dict[int, str], payload_type: int) -> int:
    profile = _attributes(parameters.get(payload_type, "")).get("profile-level-id", "")
    return 0 if profile.startswith(_CONSTRAINED_BASELINE) else 1


def _repeats(parameters: str, opus: int | None) -> bool:
    """Whether a RED format carries our Opus and nothing else, such as "111/111" (RFC 2198 section 5)."""
    return opus is not None and set(parameters.split("/")) == {str(opus)}


def _attributes(parameters: str) -> dict[str, str]:
    """The `name=value` pairs of an `a=fmtp`, lower case."""
    pairs = (part.strip().partition("=") for part in parameters.lower().split(";"))
    return {name: value for name, _, value in pairs}


def _feedback(lines: tuple[str, ...], payload_type: int) -> frozenset[str]:
    prefixes = (f"{payload_type} ", "* ")
    return frozenset(value.partition(" ")[2] for value in lines if value.startswith(prefixes))
