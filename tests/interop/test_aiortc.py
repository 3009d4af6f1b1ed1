# SPDX-License-Identifier: Apache-2.0
"""Aiortc against a running server, through a client that knows PROTOCOL.md only; and offers in unusual shapes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

import pytest
from aiortc import RTCBundlePolicy

from tests.interop.aiortc_stack import Aiortc
from tests.interop.meeting import Meeting
from tests.interop.stranger import Refused

pytestmark = pytest.mark.asyncio(loop_scope="module")

_TRANSPORT = re.compile(r"a=(?:ice-ufrag|ice-pwd|fingerprint|setup):[^\r]*\r\n")


async def test_two_people_hear_and_see_each_other(meeting: Meeting) -> None:
    """Both ways, and on through another offer of the same connection; a goodbye is heard."""
    ann = await meeting.guest("Ann", Aiortc())
    bob = await meeting.guest("Bob", Aiortc())
    await asyncio.gather(*(each.gets("audio", "video") for each in (ann, bob)))
    await ann.negotiate()
    await asyncio.gather(*(each.gets("audio", "video") for each in (ann, bob)))
    await ann.stack.close()
    await ann.person.until(lambda: ann.person.notices[-1].get("reason") == "dtls_closed")


def _above_all(offer: str) -> str:
    """What is said of the transport stands once, for the session."""
    first = list(dict.fromkeys(_TRANSPORT.findall(offer)))
    return _TRANSPORT.sub("", offer).replace("t=0 0\r\n", "t=0 0\r\n" + "".join(first), 1)


def _candidates(offer: str) -> str:
    """None but strange ones: mDNS, TCP, a link's own address, one that is none."""
    odd = (
        *("1 1 udp 1 1b2c.local 9 typ host", "2 1 tcp 1 192.0.2.1 9 typ host tcptype active"),
        *("3 1 udp 1 fe80::1 9 typ host", "4 2 sctp x"),
    )
    lines = "".join(f"a=candidate:{each}\r\n" for each in odd)
    bare = re.sub(r"a=(?:candidate:|end-of-candidates)[^\r]*\r\n", "", offer)
    return bare.replace("a=rtcp-mux\r\n", f"a=rtcp-mux\r\n{lines}a=x-unknown:1\r\n")


def _stronger(offer: str) -> str:
    """No hash but SHA-512, in lower case."""
    return re.sub(
        r"a=fingerprint:(sha-\d+) ([^\r]*)\r\n",
        lambda found: f"a=fingerprint:sha-512 {found[2].lower()}\r\n" if found[1] == "sha-512" else "",
        offer,
    )


SHAPES: dict[str, Callable[[str], str]] = {
    "no source and no mid in packets": lambda offer: re.sub(r"a=(?:ssrc[^\r]*|extmap:\d+ [^\r]*mid)\r\n", "", offer),
    "line feeds alone": lambda offer: offer.replace("\r\n", "\n"),
    "transport of the session": _above_all,
    "odd candidates": _candidates,
    "sha-512": _stronger,
    "DTLS client by decision": lambda offer: offer.replace("a=setup:actpass", "a=setup:active"),
    "another profile, no reduced size": lambda offer: offer.replace("UDP/TLS/RTP/SAVPF", "RTP/SAVP").replace(
        "a=rtcp-rsize\r\n", "a=extmap-allow-mixed\r\n"
    ),
}


async def test_unusual_offers_are_heard(meeting: Meeting) -> None:
    """Each is answered, connects, and its voice reaches somebody else, who has a slot for each."""
    listener = await meeting.guest("Listener", Aiortc(len(SHAPES), codec=""), camera=False)
    for name, spoil in SHAPES.items():
        await meeting.guest(name[:40], Aiortc(0, codec=""), spoil, camera=False)
    await listener.fills(len(SHAPES))


@pytest.mark.parametrize("bundle", RTCBundlePolicy)
async def test_a_data_channel_beside_is_refused_alone(meeting: Meeting, bundle: RTCBundlePolicy) -> None:
    """Whether it was offered on the transport of the voices or on one of its own."""
    both = [await meeting.guest(name, Aiortc(codec="", bundle=bundle, channel=True), camera=False) for name in "AB"]
    await asyncio.gather(*(each.gets("audio") for each in both))


async def test_nothing_in_common_is_said(meeting: Meeting) -> None:
    """The author of a client learns why, for what cannot work and for what is not allowed."""
    person = await meeting.person("Ann")
    stack = Aiortc(codec="")
    offer = await stack.offer()
    await stack.close()
    for spoilt, reason in (
        (offer.replace("opus/48000/2", "speex/16000"), "no_common_codec"),
        (offer.replace("a=group:BUNDLE", "a=group:LS"), "not_bundled"),
        (offer.replace("actpass", "passive"), "bad_setup"),
        (offer.replace("t=0 0\r\n", "t=0 0\r\na=ice-lite\r\n"), "both_lite"),
    ):
        with pytest.raises(Refused, match=reason):
            await person.offer(spoilt)
