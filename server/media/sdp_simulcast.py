# SPDX-License-Identifier: Apache-2.0
"""The simulcast streams that a section offers to send (RFC 8851, RFC 8853)."""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from server.media.sdp_codecs import Codec
from server.media.sdp_lines import Block, OfferProblem, OfferRefused

MAX_RIDS: Final = 16
"""`a=rid` lines of one section that are read at all."""

MAX_LAYERS: Final = 3
"""Streams of one simulcast that are taken; the client leaves the others out (RFC 8853 section 5.3.2)."""

_RID: Final = re.compile(r"[A-Za-z0-9_-]{1,16}")
"""RFC 8851 section 10, and no longer than its header extension should be (RFC 8852 section 3)."""

_RESTRICTIONS: Final = re.compile(r"[!-~]{1,256}")


class Rid(Struct, frozen=True):
    """One stream; `restrictions` as offered, with the payload types that we take ("" when there are none)."""

    id: str
    restrictions: str


def rids_of(block: Block, codecs: tuple[Codec, ...]) -> tuple[Rid, ...]:
    """The streams of `a=simulcast:send` in its order, at most `MAX_LAYERS`; none when it cannot be taken.

    What is malformed is left out, as RFC 8851 section 6.2 and RFC 8853 section 5.3.2 have it. Of alternatives the
    first that we can take counts.
    """
    lines = block.all("rid")
    if len(lines) > MAX_RIDS:
        raise OfferRefused(OfferProblem.TOO_MANY_RIDS)
    taken = {codec.payload_type for codec in codecs}
    offered = {rid.id: rid for rid in (_rid(line, taken) for line in lines) if rid is not None}
    streams: dict[str, Rid] = {}
    for alternatives in _streams(block.all("simulcast")):
        usable = [offered[name] for name in alternatives if name in offered]
        if usable:
            streams[usable[0].id] = usable[0]
    return tuple(streams.values())[:MAX_LAYERS]


def _rid(line: str, taken: set[int]) -> Rid | None:
    """`id send [pt=96,97;max-width=320]`, without payload types that we do not take; None when none is left."""
    name, _, rest = line.partition(" ")
    direction, _, restrictions = rest.partition(" ")
    if direction != "send" or not _RID.fullmatch(name):
        return None
    if not restrictions:
        return Rid(name, "")
    if not _RESTRICTIONS.fullmatch(restrictions):
        return None
    first, *others = restrictions.split(";")
    if not first.startswith("pt="):
        return Rid(name, restrictions)
    formats = [text for text in first[3:].split(",") if text.isdigit() and len(text) <= 3 and int(text) in taken]
    return Rid(name, ";".join([f"pt={','.join(formats)}", *others])) if formats else None


def _streams(values: list[str]) -> list[list[str]]:
    """The alternatives of each stream; a leading "~" only says that it begins paused."""
    if len(values) != 1:
        return []
    words = values[0].split(" ")
    if len(words) not in (2, 4) or "send" not in words[::2]:
        return []
    listed = words[words.index("send") + 1]
    return [[name.removeprefix("~") for name in stream.split(",")] for stream in listed.split(";")]
