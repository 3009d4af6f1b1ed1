# SPDX-License-Identifier: Apache-2.0
"""A real Chromium on a narrow link: what it gets of three others who send layers, and how long a drop is felt."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from playwright.async_api import Page

from loadtest.clip import Signatures, prepared
from loadtest.impairment.control import RemoteRig, RigProcess, rig_process
from loadtest.impairment.profile import PERFECT, Link, adjusted
from loadtest.offer import read_answer
from loadtest.pacer import Pacer
from loadtest.peer import Peer
from loadtest.sender import Voice
from server.ids import ParticipantId, PeerId
from server.media.channel import OpenPeer, PeerAnswered
from tests.media.browser import ROOM, Studio, studio
from tests.media.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.alone, pytest.mark.slow]

PUBLISHERS = 3
WIDE_BPS, NARROW_BPS = 1_500_000, 300_000

DETOUR = """(() => {
  const remote = RTCPeerConnection.prototype.setRemoteDescription;
  RTCPeerConnection.prototype.setRemoteDescription = async function (answer) {
    return remote.call(this, { type: answer.type, sdp: await window.__detour(answer.sdp) });
  };
})();"""

COUNT = """async () => {
  const found = { octets: 0, frames: 0, freezes: 0, samples: 0, concealed: 0, heights: [] };
  for (const s of (await window.pc.getStats()).values()) {
    if (s.type === 'transport') found.octets = s.bytesReceived;
    if (s.type !== 'inbound-rtp') continue;
    if (s.kind === 'audio') {
      found.samples += s.totalSamplesReceived ?? 0;
      found.concealed += (s.concealedSamples ?? 0) - (s.silentConcealedSamples ?? 0);
    } else {
      found.frames += s.framesDecoded ?? 0;
      found.freezes += s.freezeCount ?? 0;
      found.heights.push(s.frameHeight ?? 0);
    }
  }
  return found;
}"""


def narrow(bits_per_second: int) -> Link:
    """50 ms there and back, and the usual queue."""
    return adjusted(PERFECT, f"both.delay_ms=25 down.rate_bps={bits_per_second}")


async def publish(made: Studio, number: int, pacer: Pacer, known: Signatures) -> Peer:
    """Somebody who sends three layers, and sees nobody."""
    peer = Peer(prepared(number, simulcast=True), pacer, signatures=known, slots=1)
    name = f"pub{number}"
    made.worker.send(OpenPeer(peer=PeerId(name), room=ROOM, participant=ParticipantId(name), sdp=peer.offer()))

    def answered() -> PeerAnswered | None:
        found = (each for each in made.messages if isinstance(each, PeerAnswered) and each.peer == name)
        return next(found, None)

    await peer.connect((await until(answered)).sdp)
    return peer


async def watch(made: Studio, rigs: RigProcess, link: Link) -> tuple[Page, RemoteRig]:
    """A page that receives through a rig."""
    opened: list[RemoteRig] = []

    async def detour(sdp: str) -> str:
        host, port = read_answer(sdp).remote.candidates[0]
        opened.append(await rigs.open((host, port), link, seed=5))
        kept = [line for line in sdp.split("\r\n") if not line.startswith("a=candidate") or f" {host} {port} " in line]
        here = " ".join(map(str, opened[0].address))
        return "\r\n".join(line.replace(f" {host} {port} ", f" {here} ") for line in kept)

    page = await (await made.browser.new_context()).new_page()
    await page.expose_function("__detour", detour)
    await page.add_init_script(DETOUR)
    await page.goto(made.origin)
    await page.evaluate("([slots]) => join('viewer', slots, false)", [PUBLISHERS])
    return page, opened[0]


async def span(page: Page, seconds: float, rate_bps: int, name: str) -> dict[str, Any]:
    """What the page got in this time."""
    start: dict[str, Any] = await page.evaluate(COUNT)
    await asyncio.sleep(seconds)
    end: dict[str, Any] = await page.evaluate(COUNT)
    found: dict[str, Any] = {key: end[key] - start[key] for key in start if key != "heights"}
    found["used"] = found["octets"] * 8 / seconds / rate_bps
    found["made_up"] = found["concealed"] / max(1, found["samples"])
    print(
        f"{name}: used {found['used']:.0%}, {found['frames'] / seconds:.0f} frames/s of heights {end['heights']}, "
        f"{found['freezes']} freezes, voice {found['made_up']:.2%} made up"
    )
    return found


async def test_chromium_on_a_link_that_narrows() -> None:
    """Its link is used, its voice stays, and a drop to a fifth is over after some seconds."""
    async with studio() as made, rig_process() as rigs:
        pacer = Pacer()
        known = Signatures([prepared(number, simulcast=True) for number in range(PUBLISHERS)])
        peers = [await publish(made, number, pacer, known) for number in range(PUBLISHERS)]
        page, rig = await watch(made, rigs, narrow(WIDE_BPS))
        names = tuple(f"pub{number}" for number in range(PUBLISHERS))
        made.route(((*names, "viewer"), names, names))
        peers[0].speak(Voice.STEADY)
        for peer in peers:
            peer.show(on=True)
        await span(page, 4, WIDE_BPS, "start")
        wide = await span(page, 10, WIDE_BPS, "wide")
        await rig.change(narrow(NARROW_BPS))
        await span(page, 4, NARROW_BPS, "drop")
        after = await span(page, 10, NARROW_BPS, "narrow")
        await rig.change(narrow(WIDE_BPS))
        await span(page, 12, WIDE_BPS, "rise")
        again = await span(page, 6, WIDE_BPS, "wide again")
        for peer in peers:
            await peer.close()
        pacer.close()
    assert wide["used"] > 0.5
    assert wide["made_up"] < 0.03
    assert after["used"] > 0.4
    assert after["made_up"] < 0.03
    assert after["frames"] > 50
    assert again["used"] > 0.4
