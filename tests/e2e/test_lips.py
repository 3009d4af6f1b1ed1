# SPDX-License-Identifier: Apache-2.0
"""Lips and voice after a move, by a flash and a beep of the same moment: at once, and when all has settled."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any, Final

import pytest
from playwright.async_api import expect

from tests.e2e.conftest import Meet
from tests.e2e.person import Person, until
from tests.e2e.serving import Server

pytestmark = [pytest.mark.e2e, pytest.mark.alone, pytest.mark.slow, pytest.mark.timeout(180)]

PERIOD_MS: Final = 800
ENOUGH: Final = 5
SETTLED_S: Final = 8
LATE_MS, EARLY_MS = 90, -185
"""A picture that is so much later, or earlier, than its voice is accepted (ITU-R BT.1359, figure 2)."""

BLINKING: Final = """(() => {
  const PERIOD = 800, ON = 160;
  const picture = () => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 320, height: 180 });
    const pen = canvas.getContext('2d', { alpha: false });
    setInterval(() => {
      pen.fillStyle = Date.now() % PERIOD < ON ? 'white' : `rgb(${window.__device.hue.join(',')})`;
      pen.fillRect(0, 0, 320, 180);
    }, 10);
    return canvas.captureStream(30).getVideoTracks()[0];
  };
  const tone = () => {
    const context = new AudioContext();
    const quiet = new GainNode(context, { gain: 0 });
    const out = context.createMediaStreamDestination();
    const oscillator = new OscillatorNode(context, { frequency: window.__device.hz });
    oscillator.connect(quiet).connect(out);
    oscillator.start();
    let next = 0;
    setInterval(() => {
      const now = Date.now();
      for (next = Math.max(next, now - now % PERIOD + PERIOD); next < now + 2 * PERIOD; next += PERIOD) {
        const at = context.currentTime + (next - now) / 1000;
        quiet.gain.setValueAtTime(0.3, at).setValueAtTime(0, at + ON / 1000);
      }
    }, 100);
    void context.resume();
    return out.stream.getAudioTracks()[0];
  };
  navigator.mediaDevices.getUserMedia = async (wish = {}) =>
    new MediaStream([...(wish.audio ? [tone()] : []), ...(wish.video ? [picture()] : [])]);
})();"""

FLASHES: Final = """() => {
  window.__flashes = [];
  window.__measure();
  const eye = Object.assign(document.createElement('canvas'), { width: 1, height: 1 });
  const pen = eye.getContext('2d', { willReadFrequently: true });
  const follow = (video) => {
    let bright = true;
    const each = (_, frame) => {
      pen.drawImage(video, 0, 0, 1, 1);
      const [red, green, blue] = pen.getImageData(0, 0, 1, 1).data;
      const now = Math.min(red, green, blue) > 180;
      const moving = video.srcObject?.getVideoTracks()[0]?.readyState === 'live' && frame.receiveTime !== undefined;
      if (now && !bright && moving) window.__flashes.push(performance.timeOrigin + frame.expectedDisplayTime);
      bright = now;
      video.requestVideoFrameCallback(each);
    };
    video.requestVideoFrameCallback(each);
  };
  const known = new Set();
  setInterval(() => {
    for (const video of document.querySelectorAll('video')) if (!known.has(video)) known.add(video) && follow(video);
  }, 50);
}"""

READ: Final = """since => ({
  flashes: window.__flashes.filter((at) => at > since),
  beeps: window.__watch.voices.filter((one) => one.at > since && one.hz > 0).map((one) => one.at),
})"""


def offsets(log: dict[str, list[float]]) -> list[float]:
    """How much later than each beep the picture of the same moment was shown, in ms."""
    beeps: list[float] = []
    for beep in log["beeps"]:
        # The end of a beep has a pitch of its own, and is no beginning.
        beeps += [beep] if not beeps or beep - beeps[-1] > PERIOD_MS / 2 else []
    nearest = [min((flash - beep for flash in log["flashes"]), key=abs, default=PERIOD_MS) for beep in beeps]
    return [offset for offset in nearest if abs(offset) < PERIOD_MS / 2]


async def measured(person: Person, since_ms: float) -> list[float]:
    """The next beeps with their flashes."""

    async def heard() -> list[float]:
        return offsets(await person.page.evaluate(READ, since_ms))

    return await until(heard, lambda found: len(found) >= ENOUGH, f"{person.name} sees and hears the same moment")


async def test_lips_and_voice_are_together_after_a_move(
    server: Server, meet: Meet, report: Callable[[str], None]
) -> None:
    """From the first seconds on the picture is at most as late or early as people accept."""
    moderator, ana = await meet("Moderator"), await meet("Ana", measured=True)
    await moderator.context.add_init_script(BLINKING)
    for person, role in ((moderator, "moderator"), (ana, "participant")):
        token: dict[str, Any] = await server.token("lips", role, person.name)
        await person.open(token["url"])
        await person.join()
    await moderator.in_room()
    await moderator.panel("people")
    await moderator.press("admit")
    await ana.in_room()
    await ana.sees_exactly({"Moderator"})
    await moderator.panel("agenda")
    await moderator.press("phase-next")
    await moderator.panel("board")
    await moderator.find("lead").select_option("0")
    await moderator.enter("plan-rooms", "1")
    await moderator.press("plan-draft")
    await moderator.press("plan-open")
    await moderator.find("alone-dialog").get_by_test_id("confirm").click()
    await expect(moderator.find("live-board")).to_be_visible()
    await ana.sees_exactly(set())
    await ana.page.evaluate(FLASHES)
    await moderator.move_in_board("Ana", "main")
    await ana.sees_exactly({"Moderator"})
    first = await measured(ana, await ana.page.evaluate("Date.now()"))
    await ana.page.wait_for_timeout(1000 * SETTLED_S)
    later = await measured(ana, await ana.page.evaluate("Date.now()"))
    report(
        f"picture after voice: {median(first):.0f} ms in the first seconds after a move, then {median(later):.0f} ms"
    )
    report(f"  {[round(each) for each in first]}, {[round(each) for each in later]}")
    assert EARLY_MS < median(later) < LATE_MS
    assert 2 * EARLY_MS < median(first) < 2 * LATE_MS
