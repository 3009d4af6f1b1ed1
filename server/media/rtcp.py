# SPDX-License-Identifier: Apache-2.0
"""Feedback to publishers and reports to subscribers: keyframe requests, loss, clocks (RFC 3550, RFC 4585)."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from struct import Struct as Layout
from typing import Final

from aiortc.rtp import (
    RTCP_PSFB,
    RTCP_PSFB_APP,
    RTCP_PSFB_PLI,
    RTCP_RR,
    RTCP_RTPFB,
    RTCP_RTPFB_NACK,
    RTCP_SR,
    AnyRtcpPacket,
    RtcpPacket,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpSdesPacket,
    RtcpSourceInfo,
    clamp_packets_lost,
    pack_remb_fci,
)

from server.media.congestion.feedback import FORMAT, PACKET_TYPE
from server.media.receive import ReceiveStatistics

PLI_INTERVAL_MS: Final = 300
"""A publisher is asked for a keyframe at most this often, however many slots want one."""

PLI_BEGIN_MS: Final = 100
"""After an answered request the next one for a line that begins may follow so soon: people come one after another."""

PLI_REPEAT_MS: Final = 500
"""After this a slot that still waits asks again: the request or the keyframe was lost."""

LONGEST_PLI_MS: Final = 2_000
PATIENCE: Final = 1.2
"""In round trips: a keyframe that may be on its way is not asked for again. A link that got narrow is full of them."""

TILES_BPS: Final = 8_000_000
"""What the pictures of one placement may take together on a subscriber's link, while nothing measures it."""

LEAST_PICTURE_BPS: Final = 250_000
BEST_PICTURE_BPS: Final = 1_700_000
FEW_PICTURES: Final = 12

_FEEDBACK: Final = Layout("!BBHII")
_NACK: Final = Layout("!HH")
_NACKED_BEHIND: Final = 16
"""Further packets of which one entry speaks."""

_SEQUENCE: Final = 0xFFFF
_HEEDED: Final = {RTCP_SR: 28, RTCP_RR: 8, RTCP_RTPFB: 0, RTCP_PSFB: 0}
"""Packet types, and in bytes what stands before the blocks of a report."""

_BLOCK_BYTES: Final = 24
_CNAME: Final = 1
_PADDED: Final = 0x20
_SENDER_REPORT: Final = Layout("!BBHIQIII")
_SENDER_REPORT_WORDS: Final = 6
_NTP_SECOND: Final = 1 << 32
_OFFSET_SAMPLES: Final = 32


def is_rtcp(data: bytes) -> bool:
    """RFC 5761 section 4: the second byte of RTCP is 192 to 223."""
    return len(data) >= 8 and 192 <= data[1] <= 223


def split_feedback(compound: bytes) -> tuple[list[bytes], bytes]:
    """The transport-wide feedback messages of a decrypted datagram, and everything else of it.

    They come often and are long; what remains, mostly nothing, is for a general parser, which does not know them.
    """
    found: list[bytes] = []
    others: list[bytes] = []
    at = 0
    while at + 4 <= len(compound):
        end = at + 4 + 4 * (compound[at + 2] << 8 | compound[at + 3])
        transport = compound[at + 1] == PACKET_TYPE and compound[at] & 0x1F == FORMAT and end <= len(compound)
        if transport and end - at == len(compound):
            # Nothing else, mostly.
            return [compound], b""
        (found if transport else others).append(compound[at:end])
        at = end
    return found, b"".join(others) + compound[at:]


def parse_reports(compound: bytes) -> list[AnyRtcpPacket]:
    """The reports and feedback in a datagram, each for itself: others may come with them, extended or malformed ones.

    RFC 3550 section 6.1: a receiver passes over what it does not know. BYE and SDES steer nothing here; the library
    refuses a report with the extension that section 6.4.3 allows, and names that are padded as in section 6.5.
    """
    found: list[AnyRtcpPacket] = []
    at = 0
    while at + 4 <= len(compound):
        end = at + 4 + 4 * (compound[at + 2] << 8 | compound[at + 3])
        if compound[at + 1] in _HEEDED and end <= len(compound):
            with suppress(ValueError):
                found += RtcpPacket.parse(_bare(compound[at:end]))
        at = end
    return found


def _bare(packet: bytes) -> bytes:
    """A report without its extension and padding; anything else as it is."""
    fixed = _HEEDED[packet[1]]
    size = fixed + _BLOCK_BYTES * (packet[0] & 0x1F)
    if not fixed or len(packet) <= size:
        return packet
    return bytes([packet[0] & ~_PADDED, packet[1]]) + (size // 4 - 1).to_bytes(2) + packet[4:size]


class KeyframePacer:
    """When to ask one publisher for a keyframe; times are monotonic milliseconds."""

    __slots__ = ("_answered", "_asked_ms", "_begins", "_pending")

    def __init__(self) -> None:
        self._asked_ms: int | None = None
        self._answered = True
        self._pending = False
        self._begins = False

    def ask(self, now_ms: int, *, begins: bool = False, rtt_ms: float = 0.0) -> bool:
        """Whether to send a request now; if it is too early, `due` will say when.

        `begins`: for a line that shows nothing of this layer yet, not for a subscriber who asks to have it mended.
        """
        self._pending = True
        self._begins = self._begins or begins
        return self.due(now_ms, waiting=False, rtt_ms=rtt_ms)

    def due(self, now_ms: int, *, waiting: bool, rtt_ms: float = 0.0) -> bool:
        """Whether to send now, for a request held back or because a slot is still `waiting`."""
        way_ms = 0 if self._answered else min(LONGEST_PLI_MS, PATIENCE * rtt_ms)
        since = now_ms - self._asked_ms if self._asked_ms is not None else LONGEST_PLI_MS
        # Whoever begins while a keyframe is on its way will begin with that one.
        interval = PLI_BEGIN_MS if self._begins and self._answered else PLI_INTERVAL_MS
        repeats = waiting and since >= max(PLI_REPEAT_MS, way_ms)
        if repeats or (self._pending and since >= max(interval, way_ms)):
            self._asked_ms = now_ms
            self._answered = self._pending = self._begins = False
            return True
        return False

    def fulfilled(self) -> None:
        """A keyframe came: whoever asked before it has it now."""
        self._answered = True
        self._pending = self._begins = False


class PublisherClock:
    """One offset from a publisher's wall clock to ours, for audio and video alike: that keeps lips in sync.

    The least of the last offsets seen is the one with the least network delay in it. NTP timestamps are in units of
    2**-32 s.
    """

    __slots__ = ("_base", "_offsets", "offset")

    def __init__(self) -> None:
        self._offsets: deque[int] = deque(maxlen=_OFFSET_SAMPLES)
        self._base = 0
        self.offset = 0

    def reported(self, publisher_ntp: int, our_ntp: int, now_ns: int) -> None:
        """A sender report arrived now; `our_ntp` is the same moment by our wall clock."""
        self._offsets.append(our_ntp - publisher_ntp)
        self._base = our_ntp - ntp_units(now_ns)
        self.offset = min(self._offsets)

    def at(self, now_ns: int) -> tuple[int, int]:
        """What our wall clock shows now, and what the publisher's showed for what gets here now."""
        ours = self._base + ntp_units(now_ns)
        return ours, ours - self.offset


class SenderReport:
    """The last sender report of a source and when it came."""

    __slots__ = ("arrived_ns", "ntp", "rtp")

    def __init__(self, ntp: int, rtp: int, arrived_ns: int) -> None:
        self.ntp = ntp
        self.rtp = rtp
        self.arrived_ns = arrived_ns

    def at(self, publisher_ntp: int, clock_rate: int) -> int:
        """The RTP time of the source when its publisher's clock shows this, as the report extrapolates."""
        return self.rtp + ((publisher_ntp - self.ntp) * clock_rate >> 32) & 0xFFFFFFFF


def picture_bps(pictures: int) -> int:
    """What one publisher may send when `pictures` people are seen in its placement."""
    return min(BEST_PICTURE_BPS, max(LEAST_PICTURE_BPS, TILES_BPS // max(1, pictures)))


def layered_bps(pictures: int, *, watched: bool) -> int:
    """As `picture_bps`, for one that sends several layers, of which every subscriber gets what its link bears.

    All of them have room, so that the larger ones are there when somebody wants them; but in a crowd whom nobody
    gets keeps the smallest only: a worker could not even receive everybody's.
    """
    return BEST_PICTURE_BPS if watched or pictures <= FEW_PICTURES else LEAST_PICTURE_BPS


def ntp_units(nanoseconds: int) -> int:
    """Nanoseconds in units of 2**-32 s."""
    return nanoseconds * _NTP_SECOND // 1_000_000_000


def picture_loss(sender_ssrc: int, media_ssrc: int) -> bytes:
    """A keyframe request, RFC 4585 section 6.3.1."""
    return bytes(RtcpPsfbPacket(fmt=RTCP_PSFB_PLI, ssrc=sender_ssrc, media_ssrc=media_ssrc))


def negative_acknowledgement(sender_ssrc: int, media_ssrc: int, lost: list[int]) -> bytes:
    """A request to send these 16-bit sequence numbers again, in the order they had, RFC 4585 section 6.2.1.

    Packed here: aiortc's class fails where the numbers begin anew.
    """
    entries: list[tuple[int, int]] = []
    for number in lost:
        first, following = entries[-1] if entries else (number, 0)
        behind = number - first & _SEQUENCE
        if 0 < behind <= _NACKED_BEHIND:
            entries[-1] = first, following | 1 << behind - 1
        else:
            entries.append((number, 0))
    words = 2 + len(entries)
    head = _FEEDBACK.pack(0x80 | RTCP_RTPFB_NACK, RTCP_RTPFB, words, sender_ssrc, media_ssrc)
    return head + b"".join(_NACK.pack(*entry) for entry in entries)


def receiver_estimate(sender_ssrc: int, bits_per_second: int, media_ssrcs: list[int]) -> bytes:
    """What the publisher may send, draft-alvestrand-rmcat-remb-03."""
    fci = pack_remb_fci(bits_per_second, media_ssrcs)
    return bytes(RtcpPsfbPacket(fmt=RTCP_PSFB_APP, ssrc=sender_ssrc, media_ssrc=0, fci=fci))


def report_block(
    ssrc: int, statistics: ReceiveStatistics, report: SenderReport | None, now_ns: int
) -> RtcpReceiverInfo:
    """One block of a receiver report, RFC 3550 section 6.4.1."""
    return RtcpReceiverInfo(
        ssrc=ssrc,
        fraction_lost=statistics.fraction_lost(),
        packets_lost=clamp_packets_lost(statistics.lost()),
        highest_sequence=statistics.highest - 0x10000 & 0xFFFFFFFF,
        jitter=int(statistics.jitter) & 0xFFFFFFFF,
        lsr=report.ntp >> 16 & 0xFFFFFFFF if report is not None else 0,
        dlsr=(now_ns - report.arrived_ns) * 65_536 // 1_000_000_000 & 0xFFFFFFFF if report is not None else 0,
    )


def receiver_report(sender_ssrc: int, blocks: list[RtcpReceiverInfo]) -> bytes:
    """RFC 3550 section 6.4.2; at most 31 blocks."""
    return bytes(RtcpRrPacket(ssrc=sender_ssrc, reports=blocks))


def report_head(sender_ssrc: int) -> bytes:
    """What each datagram begins with unless both sides allow less (RFC 3550 section 6.1): a report, and our name."""
    name = RtcpSourceInfo(ssrc=sender_ssrc, items=[(_CNAME, f"{sender_ssrc:08x}".encode())])
    return receiver_report(sender_ssrc, []) + bytes(RtcpSdesPacket(chunks=[name]))


def sender_report(ssrc: int, ntp: int, rtp: int, packets: int, octets: int) -> bytes:
    """RFC 3550 section 6.4.1, without report blocks. Packed here: every report of a source goes to all who get it."""
    counts = packets & 0xFFFFFFFF, octets & 0xFFFFFFFF
    return _SENDER_REPORT.pack(0x80, RTCP_SR, _SENDER_REPORT_WORDS, ssrc, ntp & 0xFFFFFFFFFFFFFFFF, rtp, *counts)
