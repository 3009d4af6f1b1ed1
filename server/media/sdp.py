# SPDX-License-Identifier: Apache-2.0
"""Session descriptions of clients: strict bounds first, then one typed `Offer` (RFC 8866, RFC 8829, RFC 8843).

Nothing here resolves a name or contacts an address: candidates of the client are not even read, since an
ICE-lite agent answers the checks it gets and sends none (RFC 8445 section 2.5).
"""

from __future__ import annotations

import re
import sys
from enum import StrEnum
from functools import lru_cache
from typing import Final

from msgspec import Struct

from server.media.sdp_codecs import Codec, MediaKind, codecs_of
from server.media.sdp_lines import (
    MOST_SHARED,
    Block,
    OfferProblem,
    OfferRefused,
    bounded_lines,
    integer,
    split,
)
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
    """All that is needed to answer a client and to let its media in. `origin`: user and session id of the `o=` line.

    `fingerprint`: of SHA-256, or of SHA-384 or SHA-512, which its length tells. `active`: the client insists on being
    the DTLS client, as one that already is may do. `bundle`: mids, those of all sections that are offered among them.
    `apart`: mids of the sections that were offered on another transport than the one that is used.
    """

    origin: str
    ufrag: str
    pwd: str
    fingerprint: str
    active: bool
    bundle: tuple[str, ...]
    apart: frozenset[str]
    sections: tuple[Section, ...]

    def renegotiates(self, earlier: Offer) -> bool:
        """Whether both come from one RTCPeerConnection.

        Its certificate stays, and so does its session id (RFC 8829 section 5.2.2). Aiortc and werift make a new
        session id for each offer; the one restarts no ICE, the other goes on as the DTLS client that it was.
        """
        same_session = self.origin == earlier.origin or self.ufrag == earlier.ufrag
        same_streams = self.active and bool(self.sources) and self.sources == earlier.sources
        return (same_session or same_streams) and self.fingerprint == earlier.fingerprint

    @property
    def sources(self) -> frozenset[int]:
        """The SSRCs that the client sends with, as far as it tells them."""
        ssrcs = (ssrc for section in self.sections for ssrc in (section.ssrc, section.rtx_ssrc))
        return frozenset(ssrc for ssrc in ssrcs if ssrc is not None)


_SENDING: Final = (Direction.SENDONLY, Direction.SENDRECV)
_KINDS: Final = {"audio": MediaKind.AUDIO, "video": MediaKind.VIDEO}
_RTP_PROFILES: Final = frozenset(
    f"{transport}RTP/{profile}" for transport in ("UDP/TLS/", "TCP/DTLS/", "") for profile in ("SAVPF", "SAVP")
) | {"RTP/AVP", "RTP/AVPF"}
"""All mean the same: the fingerprint says that it is DTLS-SRTP (RFC 8829 section 5.1.2)."""

_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]{1,64}")
_ICE_UFRAG: Final = re.compile(r"[A-Za-z0-9+/]{4,256}")
_ICE_PWD: Final = re.compile(r"[A-Za-z0-9+/]{22,256}")
_HASHES: Final = {"sha-256": 32, "sha-384": 48, "sha-512": 64}
"""Those that are not broken, in our order, and how many bytes they have (RFC 8122 section 5)."""

_DISCARD: Final = 9
"""The port of a transport that is not known yet (RFC 8840 section 4.1.1)."""

_FINGERPRINT: Final = re.compile(r"(?:[0-9A-F]{2}:)+[0-9A-F]{2}")
_SUFFIX: Final = re.compile(r"(?:/(?:sendonly|recvonly|sendrecv|inactive))?")
_URI: Final = re.compile(r"[!-~]{1,128}")
_PROTOCOL: Final = re.compile(r"[A-Za-z0-9/]{3,24}")
_FORMATS: Final = re.compile(r"[A-Za-z0-9*._-]{1,32}(?: [A-Za-z0-9*._-]{1,32}){0,127}")
"""Of media that we take no part in, too, such as `udptl t38` or `TCP/MSRP *`."""

_MOST_EXTENSION_ID: Final = 4_351
"""RFC 8285 section 6: from 4096 on they stand in offers only, for an answerer that would choose an id; we do not."""


def parse_offer(text: str) -> Offer:
    """The typed form of an offer of at most 128 KiB, or `OfferRefused`."""
    lines = bounded_lines(text)
    session, *blocks = split(lines)
    sections = tuple(_parse_section(block, session) for block in blocks)
    bundle = _check_sections(session, sections)
    if "ice-lite" in session.attributes:
        raise OfferRefused(OfferProblem.BOTH_LITE)
    tagged = blocks[_tagged(sections, bundle)]
    return Offer(
        origin=_origin(lines),
        ufrag=_ice(session, tagged, "ice-ufrag", _ICE_UFRAG),
        pwd=_ice(session, tagged, "ice-pwd", _ICE_PWD),
        fingerprint=_fingerprint(session, tagged),
        active=_active(session, tagged),
        bundle=tuple(bundle),
        apart=frozenset(each.mid for each, block in zip(sections, blocks, strict=True) if _apart(block, tagged)),
        sections=sections,
    )


def _tagged(sections: tuple[Section, ...], bundle: list[str]) -> int:
    """Index of the section whose transport all use: the bundle's first of those that are accepted (RFC 8843, 7.3.1).

    Clients that could also go without a bundle offer a transport in each section; the others are not used then.
    """
    usable = {section.mid: at for at, section in enumerate(sections) if not section.rejected}
    bundled = [mid for mid in bundle if mid in usable]
    if not bundled:
        raise OfferRefused(OfferProblem.NO_MEDIA)
    return usable[next((mid for mid in bundled if sections[usable[mid]].codecs), bundled[0])]


def _apart(block: Block, tagged: Block) -> bool:
    """Whether another port is named, or another fragment; aiortc takes one fragment for all its transports."""
    ports = {_media_line(each.media)[1] for each in (block, tagged)} - {0, _DISCARD}
    return len(ports) > 1 or block.first("ice-ufrag") not in {None, tagged.first("ice-ufrag")}


def _origin(lines: list[str]) -> str:
    line = next((line for line in lines if line.startswith("o=")), "o=")
    return " ".join(line[2:].split(" ")[:2])


def _parse_section(block: Block, session: Block) -> Section:
    media, port, protocol, formats = _media_line(block.media)
    kind = _KINDS.get(media, MediaKind.OTHER) if protocol in _RTP_PROFILES else MediaKind.OTHER
    # Port 0 with bundle-only is an offered section (RFC 8843 section 6), and so Firefox writes it.
    rejected = port == 0 and "bundle-only" not in block.attributes
    direction = _direction(block, session)
    codecs = codecs_of(block, kind, formats)
    rids = rids_of(block, codecs) if direction in _SENDING else ()
    ssrc, rtx_ssrc = _ssrcs(block)
    return Section(
        mid=sys.intern(_mid(block, rejected=rejected)),
        kind=kind,
        direction=direction,
        rejected=rejected,
        media=media,
        protocol=protocol,
        formats=formats,
        codecs=codecs,
        rids=rids,
        extensions=_extensions((*session.all("extmap"), *block.all("extmap"))),
        # Of several streams the SSRC lines do not say which is which; the RIDs do (RFC 8853 section 5.5).
        ssrc=None if rids else ssrc,
        rtx_ssrc=None if rids else rtx_ssrc,
        reduced_size="rtcp-rsize" in block.attributes,
    )


@lru_cache(MOST_SHARED)
def _media_line(line: str) -> tuple[str, int, str, str]:
    parts = line.split(" ", 3)
    if len(parts) != 4:
        raise OfferRefused(OfferProblem.MALFORMED)
    media, port, protocol, formats = parts
    if not (media.isalpha() and len(media) <= 16 and _PROTOCOL.fullmatch(protocol)):
        raise OfferRefused(OfferProblem.MALFORMED)
    if not _FORMATS.fullmatch(formats):
        raise OfferRefused(OfferProblem.MALFORMED)
    return media, integer(port, 0, 65_535), protocol, formats


def _mid(block: Block, *, rejected: bool) -> str:
    """A line that is not used any more need not have a name (RFC 8829 section 5.2.2): "" then."""
    mid = block.first("mid")
    if mid is None and rejected:
        return ""
    if mid is None or not _TOKEN.fullmatch(mid):
        raise OfferRefused(OfferProblem.NO_MID)
    return mid


def _direction(block: Block, session: Block) -> Direction:
    """Its own, or that of the session (RFC 8866 section 6.7)."""
    for attributes in (block.attributes, session.attributes):
        found = [direction for direction in Direction if direction.value in attributes]
        if len(found) > 1:
            raise OfferRefused(OfferProblem.MALFORMED)
        if found:
            return found[0]
    return Direction.SENDRECV


@lru_cache(MOST_SHARED)
def _extensions(values: tuple[str, ...]) -> tuple[Extension, ...]:
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
    return Extension(id=integer(number, 1, _MOST_EXTENSION_ID), suffix=suffix, uri=uri)


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


def _check_sections(session: Block, sections: tuple[Section, ...]) -> list[str]:
    """The mids of the bundle that all sounds and pictures are in, in its order."""
    mids = [section.mid for section in sections if section.mid]
    if len(set(mids)) != len(mids):
        raise OfferRefused(OfferProblem.DUPLICATE_MID)
    ssrcs = [ssrc for section in sections for ssrc in (section.ssrc, section.rtx_ssrc) if ssrc is not None]
    if len(set(ssrcs)) != len(ssrcs):
        raise OfferRefused(OfferProblem.DUPLICATE_SSRC)
    groups = [value.split(" ")[1:] for value in session.all("group") if value.startswith("BUNDLE ")]
    bundle = groups[0] if len(groups) == 1 else []
    # What we take no part in may go on a transport of its own: it is refused without the rest.
    wanted = {section.mid for section in sections if not section.rejected and section.kind is not MediaKind.OTHER}
    if not wanted <= set(bundle) <= set(mids):
        raise OfferRefused(OfferProblem.NOT_BUNDLED)
    return bundle


def _values(session: Block, section: Block, name: str) -> list[str]:
    """What the section says, or the session for all of them."""
    return section.all(name) or session.all(name)


def _ice(session: Block, tagged: Block, name: str, shape: re.Pattern[str]) -> str:
    values = set(_values(session, tagged, name))
    if not values:
        raise OfferRefused(OfferProblem.NO_ICE_CREDENTIALS)
    if len(values) > 1:
        raise OfferRefused(OfferProblem.MIXED_ICE_CREDENTIALS)
    value = values.pop()
    if not shape.fullmatch(value):
        raise OfferRefused(OfferProblem.NO_ICE_CREDENTIALS)
    return value


def _active(session: Block, tagged: Block) -> bool:
    """We wait for the handshake, and never begin it (RFC 8842 section 5.3)."""
    values = set(_values(session, tagged, "setup"))
    if len(values) != 1 or not values <= {"actpass", "active"}:
        raise OfferRefused(OfferProblem.BAD_SETUP)
    return values == {"active"}


def _fingerprint(session: Block, tagged: Block) -> str:
    """The one with the first of our hashes (RFC 8122); weaker ones do not count."""
    if "rtcp-mux" not in tagged.attributes:
        raise OfferRefused(OfferProblem.NO_RTCP_MUX)
    offered = [value.partition(" ") for value in _values(session, tagged, "fingerprint")]
    for name, size in _HASHES.items():
        values = {value.upper() for algorithm, _, value in offered if algorithm.lower() == name}
        if len(values) > 1:
            raise OfferRefused(OfferProblem.MIXED_FINGERPRINTS)
        value = values.pop() if values else ""
        if _FINGERPRINT.fullmatch(value) and len(value) == 3 * size - 1:
            return value
    raise OfferRefused(OfferProblem.NO_FINGERPRINT)
