# SPDX-License-Identifier: Apache-2.0
"""RTCP of a receiver: what it asks for and what it reports; and taking apart what comes. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from aiortc.rtp import (
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpRtpfbPacket,
)

from loadtest.receiver import Line

TRANSPORT_FEEDBACK: Final = 205
_HEADER_BYTES: Final = 4
_VERSION_BITS: Final = 0xC0
_MOST_BLOCKS: Final = 31


class LineReports:
    """Receiver reports need what was said in the report before (RFC 3550 sections 6.4.1 and A.3)."""

    def __init__(self) -> None:
        self._before: dict[int, tuple[int, int]] = {}
        self._heard: dict[int, tuple[int, float]] = {}

    def sender_report(self, ssrc: int, ntp: int, now_s: float) -> None:
        """The other side told its clock; `ntp` has 64 bits."""
        self._heard[ssrc] = ntp >> 16 & 0xFFFFFFFF, now_s

    def build(self, sender: int, lines: Iterator[Line], now_s: float) -> bytes:
        """About every line that received something since the last report; empty when none did."""
        blocks = [block for line in lines if (block := self._block(line, now_s)) is not None]
        parts = [blocks[start : start + _MOST_BLOCKS] for start in range(0, len(blocks), _MOST_BLOCKS)]
        return b"".join(bytes(RtcpRrPacket(ssrc=sender, reports=part)) for part in parts)

    def _block(self, line: Line, now_s: float) -> RtcpReceiverInfo | None:
        sequences = line.sequences
        expected, received = self._before.get(line.ssrc, (0, 0))
        if sequences.highest is None or sequences.received == received:
            return None
        self._before[line.ssrc] = sequences.expected, sequences.received
        more = sequences.expected - expected
        lost = max(0, more - (sequences.received - received))
        said, when_s = self._heard.get(line.ssrc, (0, now_s))
        return RtcpReceiverInfo(
            ssrc=line.ssrc,
            fraction_lost=min(255, lost * 256 // more) if more > 0 else 0,
            packets_lost=max(0, sequences.lost),
            highest_sequence=sequences.highest & 0xFFFFFFFF,
            jitter=round(line.jitter),
            lsr=said,
            dlsr=round((now_s - when_s) * 65_536) if said else 0,
        )


def picture_lost(sender: int, ssrc: int) -> bytes:
    """Picture loss indication, RFC 4585 section 6.3.1."""
    return bytes(RtcpPsfbPacket(fmt=RTCP_PSFB_PLI, ssrc=sender, media_ssrc=ssrc))


def missing(sender: int, ssrc: int, sequences: list[int]) -> bytes:
    """Generic NACK, RFC 4585 section 6.2.1."""
    return bytes(RtcpRtpfbPacket(fmt=RTCP_RTPFB_NACK, ssrc=sender, media_ssrc=ssrc, lost=sequences))


def split(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Type, format (or count) and bytes of each packet of a compound, RFC 3550 section 6.1. Raises ValueError."""
    while data:
        if len(data) < _HEADER_BYTES or data[0] & _VERSION_BITS != 0x80:  # noqa: PLR2004 - version 2
            raise ValueError("not RTCP")
        length = 4 + 4 * int.from_bytes(data[2:4], "big")
        if length > len(data):
            raise ValueError("truncated")
        yield data[1], data[0] & 0x1F, data[:length]
        data = data[length:]
