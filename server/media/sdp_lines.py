# SPDX-License-Identifier: Apache-2.0
"""The text of a session description within strict bounds: lines, blocks, numbers (RFC 8866). Meaning comes later."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

MAX_OFFER_BYTES: Final = 128 * 1024
MAX_LINES: Final = 4_096
MAX_LINE_LENGTH: Final = 1_024
MAX_SECTIONS: Final = 64

MOST_SHARED: Final = 64
"""Parts of offers that are kept in one piece for all who offer the same: the sections of one client differ in hardly
anything, and clients of one kind in nothing else."""


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
    TOO_MANY_RIDS = "too_many_rids"
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
    BOTH_LITE = "both_lite"


class OfferRefused(ValueError):
    """An offer outside the bounds; carries the reason and never any part of the offer."""

    def __init__(self, problem: OfferProblem) -> None:
        super().__init__(problem.value)
        self.problem = problem


_UNSAFE: Final = re.compile(r"[^\x20-\x7e\r\n]")
_PARAMETERS: Final = re.compile(r"[ -~]{0,1024}")


class Block:
    """The lines of the session or of one section, attributes by name in their order."""

    __slots__ = ("attributes", "media")

    def __init__(self, media: str) -> None:
        self.media = media
        self.attributes: dict[str, list[str]] = {}

    def all(self, name: str) -> list[str]:
        """The values of every attribute with this name."""
        return self.attributes.get(name, [])

    def first(self, name: str) -> str | None:
        """The value of the first attribute with this name."""
        values = self.attributes.get(name)
        return values[0] if values else None


def bounded_lines(text: str) -> list[str]:
    """The lines of an offer of at most 128 KiB, or `OfferRefused`."""
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
    # Pion writes `a=rtcp-fb:96 nack ` with nothing where a parameter might stand.
    return [line.rstrip(" ") for line in lines]


def split(lines: list[str]) -> list[Block]:
    """The session block and the block of each section."""
    if lines[0] != "v=0":
        raise OfferRefused(OfferProblem.MALFORMED)
    blocks = [Block("")]
    for line in lines:
        if line[1:2] != "=" or "\r" in line:
            raise OfferRefused(OfferProblem.MALFORMED)
        if line[0] == "m":
            if len(blocks) > MAX_SECTIONS:
                raise OfferRefused(OfferProblem.TOO_MANY_SECTIONS)
            blocks.append(Block(line[2:]))
        elif line[0] == "a":
            name, _, value = line[2:].partition(":")
            blocks[-1].attributes.setdefault(name, []).append(value)
    if len(blocks) == 1:
        raise OfferRefused(OfferProblem.NO_MEDIA)
    return blocks


def integer(text: str, low: int, high: int) -> int:
    """A plain decimal number between the bounds, both included."""
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and low <= int(text) <= high):
        raise OfferRefused(OfferProblem.BAD_NUMBER)
    return int(text)


def numbered(value: str) -> tuple[int, str]:
    """A payload type and what is said of it, as in `a=rtpmap` and `a=fmtp`."""
    payload_type, _, rest = value.partition(" ")
    if not _PARAMETERS.fullmatch(rest):
        raise OfferRefused(OfferProblem.MALFORMED)
    return integer(payload_type, 0, 127), rest
