# SPDX-License-Identifier: Apache-2.0
# mypy: disable-error-code="import-not-found,import-untyped"
"""Today's libwebrtc through `wrtc` of PyPI: python libwebrtc.py SLOTS [max-bundle|balanced|max-compat]."""

from __future__ import annotations

import asyncio
import sys
from typing import Any, Final

import webrtc
from lines import serve

_SIZE: Final = (320, 240)
_SAMPLES: Final = 480
_WAVE: Final = b"".join((4000 if n // 48 % 2 else -4000).to_bytes(2, "little", signed=True) for n in range(_SAMPLES))


class Libwebrtc:
    """Sends a plain picture that changes and a quiet voice."""

    def __init__(self, slots: int, policy: str) -> None:
        self._peer = webrtc.RTCPeerConnection(webrtc.RTCConfiguration(bundle_policy=policy))
        self._voice = webrtc.MediaStreamTrackGenerator("audio")
        self._camera = webrtc.MediaStreamTrackGenerator("video")
        self._peer.add_transceiver(self._voice, webrtc.RTCRtpTransceiverInit(direction="sendonly"))
        self._peer.add_transceiver(self._camera, webrtc.RTCRtpTransceiverInit(direction="sendonly"))
        self._peer.add_transceiver("video", webrtc.RTCRtpTransceiverInit(direction="sendonly"))
        for _ in range(slots):
            self._peer.add_transceiver("audio", webrtc.RTCRtpTransceiverInit(direction="recvonly"))
            self._peer.add_transceiver("video", webrtc.RTCRtpTransceiverInit(direction="recvonly"))
        self._peer.create_data_channel("refused")
        self._tasks: list[asyncio.Task[None]] = []

    async def offer(self, *, restart: bool) -> str:
        if restart:
            self._peer.restart_ice()
        await self._peer.set_local_description(await self._peer.create_offer())
        return str(self._peer.local_description.sdp)

    async def answer(self, sdp: str) -> None:
        await self._peer.set_remote_description(webrtc.RTCSessionDescription(type="answer", sdp=sdp))
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._speak()), asyncio.create_task(self._show())]

    async def state(self) -> str:
        return str(self._peer.connection_state.value)

    async def received(self) -> list[dict[str, Any]]:
        found = []
        for line in self._peer.get_transceivers()[3:]:
            report = await line.receiver.get_stats()
            inbound = [each for each in report.values() if each.type == "inbound-rtp"]
            packets = sum(each.packets_received for each in inbound)
            frames = sum(each.frames_decoded or 0 for each in inbound)
            kind = line.receiver.track.kind
            found.append({"kind": str(getattr(kind, "value", kind)), "packets": packets, "frames": frames})
        return found

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._peer.close()

    async def _speak(self) -> None:
        writer, at = self._voice.writable.get_writer(), 0
        while True:
            init = webrtc.AudioDataInit(
                format="s16",
                sample_rate=48_000,
                number_of_frames=_SAMPLES,
                number_of_channels=1,
                timestamp=at * 1_000_000 // 48_000,
                data=_WAVE,
            )
            await writer.write(webrtc.AudioData(init))
            at += _SAMPLES
            await asyncio.sleep(_SAMPLES / 48_000)

    async def _show(self) -> None:
        writer, number = self._camera.writable.get_writer(), 0
        width, height = _SIZE
        while True:
            data = bytes([number * 8 % 200 + 16]) * (width * height) + bytes([120]) * (width * height // 2)
            init = webrtc.VideoFrameBufferInit(
                format="I420", coded_width=width, coded_height=height, timestamp=number * 66_666
            )
            await writer.write(webrtc.VideoFrame(data, init))
            number += 1
            await asyncio.sleep(1 / 15)


asyncio.run(serve(Libwebrtc(int(sys.argv[1]), sys.argv[2])))
