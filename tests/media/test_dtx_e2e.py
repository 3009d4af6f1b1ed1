# SPDX-License-Identifier: Apache-2.0
"""Silence of a real Chromium through a real worker: Opus with DTX sends next to nothing then (RFC 7587, 3.1.3)."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import pytest
from playwright.async_api import Page

from server.media.channel import PeerClosed, QualityChanged
from server.ports import Quality
from tests.media.browser import studio

pytestmark = [pytest.mark.e2e, pytest.mark.alone, pytest.mark.slow]

SPOKEN_S: Final = 2.0
SILENT_S: Final = 5.0
HANGOVER_S: Final = 1.5
"""The encoder wants to be sure that nothing follows."""

FIRST_S, SECOND_S = 0.2, 0.4
FIRST_HZ, SECOND_HZ = 500, 1000
SYLLABLES: Final = 3
HEARD: Final = 0.6
"""Share of a syllable that has its pitch; at its edges no pitch is clear."""

VOICE: Final = """async ([first, second, firstHz, secondHz]) => {
  const context = new AudioContext();
  const voice = new OscillatorNode(context, { frequency: firstHz });
  const lips = new GainNode(context, { gain: 0 });
  const out = context.createMediaStreamDestination();
  voice.connect(lips).connect(out);
  voice.start();
  await context.resume();
  window.talk = (on) => { lips.gain.setValueAtTime(on ? 0.3 : 0, context.currentTime); };
  window.say = () => {
    const at = context.currentTime + 0.1;
    lips.gain.setValueAtTime(0.3, at).setValueAtTime(0, at + first + second);
    voice.frequency.setValueAtTime(firstHz, at).setValueAtTime(secondHz, at + first).setValueAtTime(
      firstHz, at + first + second);
  };
  await window.pc.getTransceivers()[0].sender.replaceTrack(out.stream.getAudioTracks()[0]);
}"""

EAR: Final = """() => {
  window.heard = {};
  const pitchOf = (samples, rate) => {
    let energy = 0, first = -1, last = -1, crossings = 0;
    for (let i = 1; i < samples.length; i++) {
      energy += samples[i] * samples[i];
      if (samples[i - 1] < 0 === samples[i] < 0) continue;
      last = i;
      if (crossings++ === 0) first = i;
    }
    return energy / samples.length < 1e-4 || crossings < 3 ? 0 : ((crossings - 1) / 2 / (last - first)) * rate;
  };
  const track = window.slots[0].audio.receiver.track;
  const frames = new MediaStreamTrackProcessor({ track }).readable.getReader();
  const samples = new Float32Array(4800);
  (async () => {
    for (;;) {
      const { value: sound, done } = await frames.read();
      if (done) return;
      const part = samples.subarray(0, sound.numberOfFrames);
      sound.copyTo(part, { planeIndex: 0, format: 'f32-planar' });
      const hz = 100 * Math.round(pitchOf(part, sound.sampleRate) / 100);
      window.heard[hz] = (window.heard[hz] ?? 0) + sound.numberOfFrames / sound.sampleRate;
      sound.close();
    }
  })();
}"""

COUNT: Final = """async () => {
  const found = {};
  for (const row of (await window.pc.getStats()).values()) {
    if (row.kind !== 'audio') continue;
    if (row.type === 'outbound-rtp') found.sent = row.packetsSent;
    if (row.type === 'inbound-rtp') {
      found.received = row.packetsReceived;
      found.lost = row.packetsLost;
    }
  }
  return found;
}"""


async def counted(speaker: Page, listener: Page) -> dict[str, int]:
    """Packets of the voice so far."""
    there: dict[str, int] = await speaker.evaluate(COUNT)
    here: dict[str, int] = await listener.evaluate(COUNT)
    return {"sent": there["sent"], "received": here["received"], "lost": here["lost"]}


async def heard(listener: Page) -> dict[int, float]:
    """Seconds of each pitch since this was asked before."""
    found: dict[str, Any] = await listener.evaluate(
        "() => { const all = window.heard; window.heard = {}; return all; }"
    )
    return {int(hz): round(seconds, 2) for hz, seconds in found.items()}


async def test_silence_costs_nothing_and_speech_begins_at_once() -> None:
    """In silence hardly a packet comes, and that is no loss; what is said after it is heard from its first syllable."""
    async with studio() as made:
        ana, bo = [await made.join(name, publish=False) for name in ("ana", "bo")]
        made.route((("ana", "bo"), ("ana",), ()))
        await ana.evaluate(VOICE, [FIRST_S, SECOND_S, FIRST_HZ, SECOND_HZ])
        await bo.evaluate(EAR)
        await ana.evaluate("talk(true)")
        await bo.wait_for_function(f"() => (window.heard[{FIRST_HZ}] ?? 0) > 1")
        begun = await counted(ana, bo)
        await asyncio.sleep(SPOKEN_S)
        spoken = await counted(ana, bo)
        await ana.evaluate("talk(false)")
        await asyncio.sleep(HANGOVER_S)
        still = await counted(ana, bo)
        await asyncio.sleep(SILENT_S)
        after = await counted(ana, bo)
        syllables = []
        for _ in range(SYLLABLES):
            await heard(bo)
            await ana.evaluate("say()")
            await asyncio.sleep(FIRST_S + SECOND_S + HANGOVER_S)
            syllables.append(await heard(bo))
        end = await counted(ana, bo)
    rates = {
        name: ((spoken[name] - begun[name]) / SPOKEN_S, (after[name] - still[name]) / SILENT_S)
        for name in ("sent", "received")
    }
    print(f"packets/s speaking and silent: {rates}; heard: {syllables}; lost {end['lost']}")
    for speaking, silent in rates.values():
        assert speaking > 30
        assert silent < speaking / 5
    for each in syllables:
        assert each.get(FIRST_HZ, 0) > HEARD * FIRST_S
        assert each.get(SECOND_HZ, 0) > HEARD * SECOND_S
    assert end["lost"] <= 0
    told = [message for message in made.messages if isinstance(message, QualityChanged)]
    assert all(message.up is message.down is Quality.GOOD for message in told)
    left = [message for message in made.messages if isinstance(message, PeerClosed)]
    assert all(message.reason == "dtls_closed" for message in left)
