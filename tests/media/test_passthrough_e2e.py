# SPDX-License-Identifier: Apache-2.0
"""Real Chromium that sends no VP8: others see it as it is."""

from __future__ import annotations

import time

import pytest

from tests.media.browser import studio

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ONLY = """codec => {
  const add = RTCPeerConnection.prototype.addTransceiver;
  RTCPeerConnection.prototype.addTransceiver = function (kind, init) {
    const made = add.call(this, kind, init);
    if (kind === 'video' && init.direction === 'sendonly') {
      const known = RTCRtpSender.getCapabilities('video').codecs;
      const baseline = (one) => /packetization-mode=1.*profile-level-id=42e0/.test(one.sdpFmtpLine);
      const wanted = (one) => one.mimeType === codec && (codec !== 'video/H264' || baseline(one));
      made.setCodecPreferences(known.filter((one) => one.mimeType === 'video/rtx' || wanted(one)));
    }
    return made;
  };
}"""

SEEN = """async () => {
  const all = await window.pc.getStats();
  for (const row of all.values()) {
    if (row.type === 'inbound-rtp' && row.kind === 'video' && row.framesDecoded) {
      return [all.get(row.codecId)?.mimeType ?? '', row.framesDecoded];
    }
  }
  return ['', 0];
}"""


@pytest.mark.parametrize("codec", ["video/VP9", "video/H264"])
async def test_chromium_shows_what_chromium_sends(codec: str) -> None:
    """Decoded at the other end, in that codec, without a decoder between them."""
    async with studio() as made:
        context = await made.browser.new_context()
        ana = await context.new_page()
        await ana.goto(made.origin)
        if not await ana.evaluate(
            "c => RTCRtpSender.getCapabilities('video').codecs.some(o => o.mimeType === c)", codec
        ):
            pytest.skip(f"this Chromium does not encode {codec}")
        await ana.evaluate(ONLY, codec)
        await ana.evaluate("join('ana', 1, true)")
        bo = await made.join("bo", publish=False)
        made.route((("ana", "bo"), ("ana",), ("ana",)))
        deadline = time.monotonic() + 40
        while (found := await bo.evaluate(SEEN))[1] <= 20:
            assert time.monotonic() < deadline, found
            await bo.wait_for_timeout(100)
    assert found[0] == codec
