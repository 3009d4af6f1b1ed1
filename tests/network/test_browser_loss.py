# SPDX-License-Identifier: Apache-2.0
"""What a real Chromium makes of loss each way, on both hops through a real worker: by its own getStats."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from playwright.async_api import Page

from loadtest.impairment.control import RemoteRig, RigProcess, rig_process
from loadtest.impairment.profile import PERFECT, adjusted
from loadtest.offer import read_answer
from tests.media.browser import Studio, studio

pytestmark = [pytest.mark.e2e, pytest.mark.alone, pytest.mark.slow]

WARM_S = 8.0
SECONDS = 20.0
FIVE = 5

BEFORE_ALL = """(() => {
  const remote = RTCPeerConnection.prototype.setRemoteDescription;
  RTCPeerConnection.prototype.setRemoteDescription = async function (answer) {
    return remote.call(this, { type: answer.type, sdp: await window.__detour(answer.sdp) });
  };
  const add = RTCPeerConnection.prototype.addTransceiver;
  RTCPeerConnection.prototype.addTransceiver = function (track, init) {
    const made = add.call(this, track, init);
    if (track === 'audio') {
      const opus = RTCRtpSender.getCapabilities('audio').codecs.filter((codec) => codec.mimeType === 'audio/opus');
      const red = RTCRtpSender.getCapabilities('audio').codecs.filter((codec) => codec.mimeType === 'audio/red');
      made.setCodecPreferences(window.__red ? [...red, ...opus] : opus);
    }
    return made;
  };
})();"""

TALK = """async () => {
  const context = new AudioContext();
  const voice = new OscillatorNode(context, { type: 'sawtooth', frequency: 140 });
  const out = context.createMediaStreamDestination();
  voice.connect(new GainNode(context, { gain: 0.2 })).connect(out);
  voice.start();
  await context.resume();
  const camera = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 360, frameRate: 15 } });
  const [microphone, picture] = window.pc.getTransceivers();
  await microphone.sender.replaceTrack(out.stream.getAudioTracks()[0]);
  await picture.sender.replaceTrack(camera.getVideoTracks()[0]);
}"""

COUNT = """async () => {
  const found = {};
  for (const s of (await window.pc.getStats()).values()) {
    if (s.type === 'inbound-rtp' && s.kind === 'audio') {
      found.samples = s.totalSamplesReceived;
      found.concealed = s.concealedSamples - s.silentConcealedSamples;
      found.packets = s.packetsReceived;
      found.octets = s.bytesReceived;
    }
    if (s.type === 'inbound-rtp' && s.kind === 'video') {
      found.decoded = s.framesDecoded;
      found.freezes = s.freezeCount;
    }
    if (s.type === 'outbound-rtp' && s.kind === 'video') found.sent = (found.sent ?? 0) + (s.framesSent ?? 0);
  }
  return found;
}"""


async def join(made: Studio, rigs: RigProcess, name: str, *, red: bool) -> tuple[Page, RemoteRig]:
    """A page whose media goes through a rig of its own."""
    opened: list[RemoteRig] = []

    async def detour(sdp: str) -> str:
        host, port = read_answer(sdp).remote.candidates[0]
        opened.append(await rigs.open((host, port), PERFECT, seed=len(name)))
        kept = [line for line in sdp.split("\r\n") if not line.startswith("a=candidate") or f" {host} {port} " in line]
        here = " ".join(map(str, opened[0].address))
        return "\r\n".join(line.replace(f" {host} {port} ", f" {here} ") for line in kept)

    page = await (await made.browser.new_context()).new_page()
    await page.expose_function("__detour", detour)
    await page.add_init_script(f"window.__red = {str(red).lower()};" + BEFORE_ALL)
    await page.goto(made.origin)
    await page.evaluate("([name]) => join(name, 1, false)", [name])
    return page, opened[0]


@pytest.mark.parametrize("red", [True, False], ids=["with RED", "without RED"])
@pytest.mark.parametrize("percent", [5, 10])
async def test_chromium_at_loss_each_way(red: bool, percent: int) -> None:
    """At 5 % at least 95 % of the frames; of the voice less than 3 % is made up with RED, much more without it.

    At 10 % still most of the frames, and with RED less of the voice is made up than at half the loss without it.
    """
    link = adjusted(PERFECT, f"both.loss={percent / 100} both.delay_ms=12.5")
    async with studio() as made, rig_process() as rigs:
        (ana, first), (bo, second) = [await join(made, rigs, name, red=red) for name in ("ana", "bo")]
        made.route((("ana", "bo"), ("ana",), ("ana",)))
        await ana.evaluate(TALK)
        for rig in (first, second):
            await rig.change(link)
        await asyncio.sleep(WARM_S)
        start = await count(ana, bo)
        await asyncio.sleep(SECONDS)
        end = await count(ana, bo)
    found = {name: end[name] - start.get(name, 0) for name in end}
    concealed, frames = found["concealed"] / found["samples"], found["decoded"] / found["sent"]
    rate = found["octets"] * 8 / SECONDS / 1_000
    print(f"{percent} %, RED {red}: concealed {concealed:.2%}, frames {frames:.1%}, {rate:.0f} kbit/s, {found}")
    assert frames >= (0.95 if percent == FIVE else 0.85)
    assert concealed < (0.03 if percent == FIVE else 0.06) if red else concealed > percent / 160


async def count(sender: Page, receiver: Page) -> dict[str, Any]:
    """Sums so far: what one sent, what the other made of it."""
    found: dict[str, Any] = await receiver.evaluate(COUNT)
    return found | {"sent": (await sender.evaluate(COUNT))["sent"]}
