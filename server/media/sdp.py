# SPDX-License-Identifier: Apache-2.0
"""Session descriptions of clients: strict bounds first, then one typed `Offer` (RFC 8866, RFC 8829, RFC 8843).

Nothing here resolves a name or contacts an address: candidates of the client are not even read, since an
ICE-lite agent answers the checks it gets and sends none (RFC 8445 section 2.5).
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

from msgspec import Struct

MAX_OFFER_BYTES: Final = 128 * 1024
MAX_LINES: Final = 4_096
MAX_LINE_LENGTH: Final = 1_024
MAX_SECTIONS: Final = 64
MAX_SSRCS_PER_SECTION: Final = 16
MAX_EXTENSIONS_PER_SECTION: Final = 32

LEVEL_URI: Final = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
MID_URI: Final = "urn:ietf:params:rtp-hdrext:sdes:mid"


class OfferProblem(StrEnum):
    """Why an offer is refused; stable words, safe to log and to show."""

    TOO_LARGE = "too_large"
    TOO_MANY_LINES = "too_many_lines"
    LINE_TOO_LONG = "line_too_long"
    MALFORMED = "malformed"
    BAD_NUMBER = "bad_number"
    TOO_MANY_SECTIONS = "too_many_sections"
    TOO_MANY_SSRCS = "too_many_ssrcs"
    TOO_MANY_EXTENSIONS = "too_many_extensions"
    NO_MEDIA = "no_media"
    NO_MID = "no_mid"
    DUPLICATE_MID = "duplicate_mid"
    DUPLICATE_SSRC = "duplicate_ssrc"
    NOT_BUNDLED = "not_bundled"
    NO_RTCP_MUX = "no_rtcp_mux"
    NO_FINGERPRINT = "no_fingerprint"
    MIXED_FINGERPRINTS = "mixed_fingerprints"
    NO_ICE_CREDENTIALS = "no_ice_credentials"
    MIXED_ICE_CREDENTIALS = "mixed_ice_credentials"
    BAD_SETUP = "bad_setup"


class OfferRefused(ValueError):
    """An offer outside the bounds; carries the reason and never any part of the offer."""

    def __init__(self, problem: OfferProblem) -> None:
        super().__init__(problem.value)
        self.problem = problem


class MediaKind(StrEnum):
    """What an m-line carries; `OTHER` is anything we take no part in, such as data channels."""

    AUDIO = "audio"
    VIDEO = "video"
    OTHER = "other"


class Direction(StrEnum):
    """Seen from the client, RFC 8866 section 6.7."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"


class Codec(Struct, frozen=True):
    """The one payload format we take in a section, with its retransmission format where offered (RFC 4588)."""

    payload_type: int
    clock_rate: int
    feedback: frozenset[str]
    parameters: str
    rtx_payload_type: int | None


class Extension(Struct, frozen=True):
    """One `a=extmap`, RFC 8285; `suffix` is the direction as it was written ("" or "/sendonly")."""

    id: int
    suffix: str
    uri: str


class Section(Struct, frozen=True):
    """One m-section. `media`, `protocol` and `formats` are those of the m-line, for mirroring a refusal."""

    mid: str
    kind: MediaKind
    direction: Direction
    rejected: bool
    media: str
    protocol: str
    formats: str
    codec: Codec | None
    extensions: tuple[Extension, ...]
    ssrc: int | None
    rtx_ssrc: int | None
    reduced_size: bool

    def extension_id(self, uri: str) -> int | None:
        """The id that this client gave to a header extension."""
        return next((extension.id for extension in self.extensions if extension.uri == uri), None)


class Offer(Struct, frozen=True):
    """All that is needed to answer a client and to let its media in. `origin`: user and session id of the `o=` line."""

    origin: str
    ufrag: str
    pwd: str
    fingerprint: str
    sections: tuple[Section, ...]

    def renegotiates(self, earlier: Offer) -> bool:
        """Whether both come from one RTCPeerConnection.

        Its certificate stays, and so does its session id (RFC 8829 section 5.2.2); aiortc makes a new session id for
        each offer, but restarts no ICE.
        """
        same_session = self.origin == earlier.origin or self.ufrag == earlier.ufrag
        return same_session and self.fingerprint == earlier.fingerprint


_CODECS: Final = {MediaKind.AUDIO: "opus/48000/2", MediaKind.VIDEO: "vp8/90000"}
_KINDS: Final = {"audio": MediaKind.AUDIO, "video": MediaKind.VIDEO}
_RTP_PROFILE: Final = "UDP/TLS/RTP/SAVPF"
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]{1,16}")
_ICE_UFRAG: Final = re.compile(r"[A-Za-z0-9+/]{4,256}")
_ICE_PWD: Final = re.compile(r"[A-Za-z0-9+/]{22,256}")
_SHA256: Final = re.compile(r"(?:[0-9A-Fa-f]{2}:){31}[0-9A-Fa-f]{2}")
_SUFFIX: Final = re.compile(r"(?:/(?:sendonly|recvonly|sendrecv|inactive))?")
_URI: Final = re.compile(r"[!-~]{1,128}")
_PARAMETERS: Final = re.compile(r"[ -~]{1,256}")
_FORMATS: Final = re.compile(r"[A-Za-z0-9-]{1,32}(?: [A-Za-z0-9-]{1,32}){0,63}")
_UNSAFE: Final = re.compile(r"[^\x20-\x7e\r\n]")


def parse_offer(text: str) -> Offer:
    """The typed form of an offer of at most 128 KiB, or `OfferRefused`."""
    lines = _bounded_lines(text)
    session, *sections = _split(lines)
    offers = tuple(_parse_section(section) for section in sections)
    _check_sections(session, offers)
    return Offer(
        origin=_origin(lines),
        ufrag=_ice(session, sections, "ice-ufrag", _ICE_UFRAG),
        pwd=_ice(session, sections, "ice-pwd", _ICE_PWD),
        fingerprint=_fingerprint(session, sections),
        sections=offers,
    )


class _Block:
    """The lines of the session or of one section, attributes by name in their order."""

    __slots__ = ("attributes", "media")

    def __init__(self, media: str) -> None:
        self.media = media
        self.attributes: dict[str, list[str]] = {}

    def all(self, name: str) -> list[str]:
        return self.attributes.get(name, [])

    def first(self, name: str) -> str | None:
        values = self.attributes.get(name)
        return values[0] if values else None


def _bounded_lines(text: str) -> list[str]:
    if len(text) > MAX_OFFER_BYTES:
        raise OfferRefused(OfferProblem.TOO_LARGE)
    if text.count("\n") > MAX_LINES:
        raise OfferRefused(OfferProblem.TOO_MANY_LINES)
    if _UNSAFE.search(text):
        # A client of WebRTC writes ASCII only; names do not belong in an offer.
        raise OfferRefused(OfferProblem.MALFORMED)
    lines = text.replace("\r\n", "\n").strip("\n").split("\n")
    if max(map(len, lines)) > MAX_LINE_LENGTH:
        raise OfferRefused(OfferProblem.LINE_TOO_LONG)
    return lines


def _split(lines: list[str]) -> list[_Block]:
    if lines[0] != "v=0":
        raise OfferRefused(OfferProblem.MALFORMED)
    blocks = [_Block("")]
    for line in lines:
        if line[1:2] != "=" or "\r" in line:
            raise OfferRefused(OfferProblem.MALFORMED)
        if line[0] == "m":
            if len(blocks) > MAX_SECTIONS:
                raise OfferRefused(OfferProblem.TOO_MANY_SECTIONS)
            blocks.append(_Block(line[2:]))
        elif line[0] == "a":
            name, _, value = line[2:].partition(":")
            blocks[-1].attributes.setdefault(name, []).append(value)
    if len(blocks) == 1:
        raise OfferRefused(OfferProblem.NO_MEDIA)
    return blocks


def _origin(lines: list[str]) -> str:
    line = next((line for line in lines if line.startswith("o=")), "o=")
    return " ".join(line[2:].split(" ")[:2])


def _integer(text: str, low: int, high: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and low <= int(text) <= high):
        raise OfferRefused(OfferProblem.BAD_NUMBER)
    return int(text)


def _parse_section(block: _Block) -> Section:
    media, port, protocol, formats = _media_line(block.media)
    kind = _KINDS.get(media, MediaKind.OTHER) if protocol == _RTP_PROFILE else MediaKind.OTHER
    mid = block.first("mid")
    if mid is None or not _TOKEN.fullmatch(mid):
        raise OfferRefused(OfferProblem.NO_MID)
    ssrc, rtx_ssrc = _ssrcs(block)
    return Section(
        mid=mid,
        kind=kind,
        direction=_direction(block),
        # Port 0 with bundle-only is an offered section (RFC 8843 section 6), and so Firefox writes it.
        rejected=port == 0 and "bundle-only" not in block.attributes,
        media=media,
        protocol=protocol,
        formats=formats,
        codec=_codec(block, kind, formats) if kind is not MediaKind.OTHER else None,
        extensions=_extensions(block),
        ssrc=ssrc,
        rtx_ssrc=rtx_ssrc,
        reduced_size="rtcp-rsize" in block.attributes,
    )


def _media_line(line: str) -> tuple[str, int, str, str]:
    parts = line.split(" ", 3)
    if len(parts) != 4:
        raise OfferRefused(OfferProblem.MALFORMED)
    media, port, protocol, formats = parts
    if not (media.isalpha() and len(media) <= 16 and re.fullmatch(r"[A-Z/]{3,24}", protocol)):
        raise OfferRefused(OfferProblem.MALFORMED)
    if not _FORMATS.fullmatch(formats):
        raise OfferRefused(OfferProblem.MALFORMED)
    return media, _integer(port, 0, 65_535), protocol, formats


def _direction(block: _Block) -> Direction:
    found = [direction for direction in Direction if direction.value in block.attributes]
    if len(found) > 1:
        raise OfferRefused(OfferProblem.MALFORMED)
    return found[0] if found else Direction.SENDRECV


def _codec(block: _Block, kind: MediaKind, formats: str) -> Codec | None:
    listed = {_integer(payload_type, 0, 127) for payload_type in formats.split(" ")}
    wanted = _CODECS[kind]
    parameters = dict(_numbered(value) for value in block.all("fmtp"))
    chosen: int | None = None
    retransmissions: list[int] = []
    for value in block.all("rtpmap"):
        payload_type, name = _numbered(value)
        if payload_type not in listed:
            raise OfferRefused(OfferProblem.MALFORMED)
        if chosen is None and name.lower() == wanted:
            chosen = payload_type
        elif name.lower() == "rtx/90000":
            retransmissions.append(payload_type)
    if chosen is None:
        return None
    return Codec(
        payload_type=chosen,
        clock_rate=48_000 if kind is MediaKind.AUDIO else 90_000,
        feedback=_feedback(block, chosen),
        parameters=parameters.get(chosen, ""),
        rtx_payload_type=next((pt for pt in retransmissions if parameters.get(pt) == f"apt={chosen}"), None),
    )


def _numbered(value: str) -> tuple[int, str]:
    payload_type, _, rest = value.partition(" ")
    if not _PARAMETERS.fullmatch(rest):
        raise OfferRefused(OfferProblem.MALFORMED)
    return _integer(payload_type, 0, 127), rest


def _feedback(block: _Block, payload_type: int) -> frozenset[str]:
    prefixes = (f"{payload_type} ", "* ")
    return frozenset(value.partition(" ")[2] for value in block.all("rtcp-fb") if value.startswith(prefixes))


def _extensions(block: _Block) -> tuple[Extension, ...]:
    values = block.all("extmap")
    if len(values) > MAX_EXTENSIONS_PER_SECTION:
        raise OfferRefused(OfferProblem.TOO_MANY_EXTENSIONS)
    return tuple(_extension(value) for value in values)


def _extension(value: str) -> Extension:
    target, _, rest = value.partition(" ")
    number, slash, direction = target.partition("/")
    uri = rest.partition(" ")[0]
    suffix = slash + direction
    if not (_SUFFIX.fullmatch(suffix) and _URI.fullmatch(uri)):
        raise OfferRefused(OfferProblem.MALFORMED)
    return Extension(id=_integer(number, 1, 255), suffix=suffix, uri=uri)


def _ssrcs(block: _Block) -> tuple[int | None, int | None]:
    listed = dict.fromkeys(value.partition(" ")[0] for value in block.all("ssrc"))
    if len(listed) > MAX_SSRCS_PER_SECTION:
        raise OfferRefused(OfferProblem.TOO_MANY_SSRCS)
    ssrcs = [_integer(text, 1, 0xFFFFFFFF) for text in listed]
    for value in block.all("ssrc-group"):
        semantics, *members = value.split(" ")
        if semantics == "FID" and len(members) == 2:
            media, retransmission = (_integer(text, 1, 0xFFFFFFFF) for text in members)
            return media, retransmission
    return (ssrcs[0] if ssrcs else None), None


def _check_sections(session: _Block, sections: tuple[Section, ...]) -> None:
    mids = [section.mid for section in sections]
    if len(set(mids)) != len(mids):
        raise OfferRefused(OfferProblem.DUPLICATE_MID)
    ssrcs = [ssrc for section in sections for ssrc in (section.ssrc, section.rtx_ssrc) if ssrc is not None]
    if len(set(ssrcs)) != len(ssrcs):
        raise OfferRefused(OfferProblem.DUPLICATE_SSRC)
    groups = [value.split(" ")[1:] for value in session.all("group") if value.startswith("BUNDLE ")]
    bundled = set(groups[0]) if len(groups) == 1 else set()
    if not {section.mid for section in sections if not section.rejected} <= bundled <= set(mids):
        raise OfferRefused(OfferProblem.NOT_BUNDLED)


def _ice(session: _Block, sections: list[_Block], name: str, shape: re.Pattern[str]) -> str:
    values = {value for block in (session, *sections) for value in block.all(name)}
    if not values:
        raise OfferRefused(OfferProblem.NO_ICE_CREDENTIALS)
    if len(values) > 1:
        raise OfferRefused(OfferProblem.MIXED_ICE_CREDENTIALS)
    value = values.pop()
    if not shape.fullmatch(value):
        raise OfferRefused(OfferProblem.NO_ICE_CREDENTIALS)
    return value


def _fingerprint(session: _Block, sections: list[_Block]) -> str:
    """The sha-256 fingerprint (RFC 8122), the same wherever it stands; weaker hashes do not count."""
    blocks = (session, *sections)
    if any(value not in ("actpass", "active") for block in blocks for value in block.all("setup")):
        raise OfferRefused(OfferProblem.BAD_SETUP)
    if not any("setup" in block.attributes for block in blocks):
        raise OfferRefused(OfferProblem.BAD_SETUP)
    if any("rtcp-mux" not in block.attributes for block in sections if block.media.startswith(("audio", "video"))):
        raise OfferRefused(OfferProblem.NO_RTCP_MUX)
    values = {
        value.partition(" ")[2].upper()
        for block in blocks
        for value in block.all("fingerprint")
        if value.lower().startswith("sha-256 ")
    }
    if len(values) > 1:
        raise OfferRefused(OfferProblem.MIXED_FINGERPRINTS)
    value = values.pop() if values else ""
    if not _SHA256.fullmatch(value):
        raise OfferRefused(OfferProblem.NO_FINGERPRINT)
    return value
