# SPDX-License-Identifier: Apache-2.0
"""Offers for tests: recorded ones beside this file, and one made to measure."""

from __future__ import annotations

from typing import Final

from server.media.sdp import LEVEL_URI, MID_URI, REPAIRED_RID_URI, RID_URI, TRANSPORT_CC_URI

FINGERPRINT: Final = ":".join(f"{value:02X}" for value in range(32))
CAMERA_MID: Final = 1
LEVEL_ID: Final = 1
MID_ID: Final = 4
TRANSPORT_CC_ID: Final = 3
RID_ID: Final = 10
REPAIRED_RID_ID: Final = 11
OPUS: Final = 111
VP8: Final = 96
RTX: Final = 97
RED: Final = 63
MICROPHONE_SSRC: Final = 1000
CAMERA_SSRC: Final = 2000
CAMERA_RTX_SSRC: Final = 2001


def fingerprint_line(fingerprint: str = FINGERPRINT) -> str:
    """The attribute as it stands in each section."""
    return f"a=fingerprint:sha-256 {fingerprint}"


def make_offer(
    slots: int = 1,
    *,
    ufrag: str = "ufrag",
    pwd: str = "passwordOfManyLetters22",  # noqa: S107 - of nobody
    fingerprint: str = FINGERPRINT,
    with_ssrcs: bool = True,
    rids: tuple[str, ...] = (),
    transport_cc: bool = False,
    voices: int = 0,
) -> str:
    """An offer in the agreed shape: microphone, camera, screen, then `slots` pairs of receive lines.

    Then `voices` that have no line for a picture.

    With `rids` the camera sends these simulcast streams, without SSRC lines. `transport_cc`: on every line.
    """
    directions = ["sendonly"] * 3 + ["recvonly"] * (2 * slots + voices)
    kinds = ["audio", "video", "video"] + ["audio", "video"] * slots + ["audio"] * voices
    lines = ["v=0", "o=- 1 2 IN IP4 127.0.0.1", "s=-", "t=0 0"]
    lines.append("a=group:BUNDLE " + " ".join(str(mid) for mid in range(len(kinds))))
    for mid, (kind, direction) in enumerate(zip(kinds, directions, strict=True)):
        lines += _section(mid, kind, direction)
        lines += _transport_cc(kind) if transport_cc else []
        lines += [f"a=ice-ufrag:{ufrag}", f"a=ice-pwd:{pwd}", fingerprint_line(fingerprint), "a=setup:actpass"]
        if mid == CAMERA_MID and rids:
            lines += _simulcast(rids)
        elif with_ssrcs:
            lines += _ssrcs(mid)
    return "\n".join(lines) + "\n"


def _section(mid: int, kind: str, direction: str) -> list[str]:
    formats = str(OPUS) if kind == "audio" else f"{VP8} {RTX}"
    lines = [f"m={kind} 9 UDP/TLS/RTP/SAVPF {formats}", "c=IN IP4 0.0.0.0", f"a=mid:{mid}", f"a={direction}"]
    lines += ["a=rtcp-mux", "a=rtcp-rsize", f"a=extmap:{MID_ID} {MID_URI}"]
    if kind == "audio":
        return [*lines, f"a=extmap:{LEVEL_ID} {LEVEL_URI}", f"a=rtpmap:{OPUS} opus/48000/2"]
    lines += [f"a=rtpmap:{VP8} VP8/90000", f"a=rtcp-fb:{VP8} nack", f"a=rtcp-fb:{VP8} nack pli"]
    return [*lines, f"a=rtcp-fb:{VP8} goog-remb", f"a=rtpmap:{RTX} rtx/90000", f"a=fmtp:{RTX} apt={VP8}"]


def _transport_cc(kind: str) -> list[str]:
    payload_type = OPUS if kind == "audio" else VP8
    return [f"a=extmap:{TRANSPORT_CC_ID} {TRANSPORT_CC_URI}", f"a=rtcp-fb:{payload_type} transport-cc"]


def _simulcast(rids: tuple[str, ...]) -> list[str]:
    lines = [f"a=extmap:{RID_ID} {RID_URI}", f"a=extmap:{REPAIRED_RID_ID} {REPAIRED_RID_URI}"]
    return [*lines, *(f"a=rid:{rid} send" for rid in rids), f"a=simulcast:send {';'.join(rids)}"]


def _ssrcs(mid: int) -> list[str]:
    if mid == 0:
        return [f"a=ssrc:{MICROPHONE_SSRC} cname:c"]
    if mid == CAMERA_MID:
        group = f"a=ssrc-group:FID {CAMERA_SSRC} {CAMERA_RTX_SSRC}"
        return [group, f"a=ssrc:{CAMERA_SSRC} cname:c", f"a=ssrc:{CAMERA_RTX_SSRC} cname:c"]
    return []


def with_red(offer: str, opus: int = OPUS) -> str:
    """Every audio section takes redundant audio too."""
    offer = offer.replace(f"SAVPF {OPUS}", f"SAVPF {RED} {opus}")
    lines = f"a=rtpmap:{opus} opus/48000/2\na=rtpmap:{RED} red/48000/2\na=fmtp:{RED} {opus}/{opus}"
    return offer.replace(f"a=rtpmap:{OPUS} opus/48000/2", lines)
