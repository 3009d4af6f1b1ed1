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

from server.media.sdp_codecs import Codec, MediaKind, codecs_of
from server.media.sdp_lines import Block, OfferProblem, OfferRefused, bounded_lines, integer, split
from server.media.sdp_simulcast import Rid, rids_of

__all__ = [
    "LEVEL_URI",
    "MID_URI",
    "REPAIRED_RID_URI",
    "RID_URI",
    "TRANSPORT_CC_URI",
    "Codec",
    "Direction",
    "Extension",
    "MediaKind",
    "Offer",
    "OfferProblem",
    "OfferRefused",
    "Rid",
    "Section",
    "parse_offer",
]

MAX_SSRCS_PER_SECTION: Final = 16
MAX_EXTENSIONS_PER_SECTION: Final = 32

LEVEL_URI: Final = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
MID_URI: Final = "urn:ietf:params:rtp-hdrext:sdes:mid"
RID_URI: Final = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
REPAIRED_RID_URI: Final = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
"""RFC 8852; the second stands in retransmissions."""

TRANSPORT_CC_URI: Final = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"


class Direction(StrEnum):
    """Seen from the client, RFC 8866 section 6.7."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"


class Extension(Struct, frozen=True):
    """One `a=extmap`, RFC 8285; `suffix` is the direction as it was written ("" or "/sendonly")."""

    id: int
    suffix: str
    uri: str


class Section(Struct, frozen=True):
    """One m-section. `media`, `protocol` and `formats` are those of the m-line, for mirroring a refusal.

    `codecs`: those we know, preferred first. `rids`: the simulcast streams that the client would send, in its order
    (smallest picture first, see PROTOCOL.md); without them `ssrc` and `rtx_ssrc` are those of the one stream, if told.
    """

    mid: str
    kind: MediaKind
    direction: Direction
    rejected: bool
    media: str
    protocol: str
    formats: str
    codecs: tuple[Codec, ...]
    rids: tuple[Rid, ...]
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


_SENDING: Final = (Direction.SENDONLY, Direction.SENDRECV)
_KINDS: Final = {"audio": MediaKind.AUDIO, "video": MediaKind.VIDEO}
_RTP_PROFILE: Final = "UDP/TLS/RTP/SAVPF"
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]{1,16}")
_ICE_UFRAG: Final = re.compile(r"[A-Za-z0-9+/]{4,256}")
_ICE_PWD: Final = re.compile(r"[A-Za-z0-9+/]{22,256}")
_SHA256: Final = re.compile(r"(?:[0-9A-Fa-f]{2}:){31}[0-9A-Fa-f]{2}")
_SUFFIX: Final = re.compile(r"(?:/(?:sendonly|recvonly|sendrecv|inactive))?")
_URI: Final = re.compile(r"[!-~]{1,128}")
_FORMATS: Final = re.compile(r"[A-Za-z0-9-]{1,32}(?: [A-Za-z0-9-]{1,32}){0,63}")


def parse_offer(text: str) -> Offer:
    """The typed form of an offer of at most 128 KiB, or `OfferRefused`."""
    lines = bounded_lines(text)
    session, *sections = split(lines)
    offers = tuple(_parse_section(section) for section in sections)
    _check_sections(session, offers)
    return Offer(
        origin=_origin(lines),
        ufrag=_ice(session, sections, "ice-ufrag", _ICE_UFRAG),
        pwd=_ice(session, sections, "ice-pwd", _ICE_PWD),
        fingerprint=_fingerprint(session, sections),
        sections=offers,
    )


def _origin(lines: list[str]) -> str:
    line = next((line for line in lines if line.startswith("o=")), "o=")
    return " ".join(line[2:].split(" ")[:2])


def _parse_section(block: Block) -> Section:
    media, port, protocol, formats = _media_line(block.media)
    kind = _KINDS.get(media, MediaKind.OTHER) if protocol == _RTP_PROFILE else MediaKind.OTHER
    mid = block.first("mid")
    if mid is None or not _TOKEN.fullmatch(mid):
        raise OfferRefused(OfferProblem.NO_MID)
    direction = _direction(block)
    codecs = codecs_of(block, kind, formats)
    rids = rids_of(block, codecs) if direction in _SENDING else ()
    ssrc, rtx_ssrc = _ssrcs(block)
    return Section(
        mid=mid,
        kind=kind,
        direction=direction,
        # Port 0 with bundle-only is an offered section (RFC 8843 section 6), and so Firefox writes it.
        rejected=port == 0 and "bundle-only" not in block.attributes,
        media=media,
        protocol=protocol,
        formats=formats,
        codecs=codecs,
        rids=rids,
        extensions=_extensions(block),
        # Of several streams the SSRC lines do not say which is which; the RIDs do (RFC 8853 section 5.5).
        ssrc=None if rids else ssrc,
        rtx_ssrc=None if rids else rtx_ssrc,
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
    return media, integer(port, 0, 65_535), protocol, formats


def _direction(block: Block) -> Direction:
    found = [direction for direction in Direction if direction.value in block.attributes]
    if len(found) > 1:
        raise OfferRefused(OfferProblem.MALFORMED)
    return found[0] if found else Direction.SENDRECV


def _extensions(block: Block) -> tuple[Extension, ...]:
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
    return Extension(id=integer(number, 1, 255), suffix=suffix, uri=uri)


def _ssrcs(block: Block) -> tuple[int | None, int | None]:
    listed = dict.fromkeys(value.partition(" ")[0] for value in block.all("ssrc"))
    if len(listed) > MAX_SSRCS_PER_SECTION:
        raise OfferRefused(OfferProblem.TOO_MANY_SSRCS)
    ssrcs = [integer(text, 1, 0xFFFFFFFF) for text in listed]
    for value in block.all("ssrc-group"):
        semantics, *members = value.split(" ")
        if semantics == "FID" and len(members) == 2:
            media, retransmission = (integer(text, 1, 0xFFFFFFFF) for text in members)
            return media, retransmission
    return (ssrcs[0] if ssrcs else None), None


def _check_sections(session: Block, sections: tuple[Section, ...]) -> None:
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


def _ice(session: Block, sections: list[Block], name: str, shape: re.Pattern[str]) -> str:
    values = {value for block in (session, *sections) for value in block.all(name)}
    if not values:
        raise OfferRefused(OfferProblem.NO_ICE_CREDENTIALS)
    if len(values) > 1:
        raise OfferRefused(OfferProblem.MIXED_ICE_CREDENTIALS)
    value = values.pop()
    if not shape.fullmatch(value):
        raise OfferRefused(OfferProblem.NO_ICE_CREDENTIALS)
    return value


def _fingerprint(session: Block, sections: list[Block]) -> str:
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
