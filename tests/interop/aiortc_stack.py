# SPDX-License-Identifier: Apache-2.0
"""Aiortc as a client."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from aiortc import (
    AudioStreamTrack,
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
    VideoStreamTrack,
)
from aiortc.mediastreams import MediaStreamError

from tests.interop.stack import Received


class Aiortc:
    """`codec`: that of pictures, as in a MIME type, or "" to do without them. `channel`: offer one for data, too."""

    def __init__(
        self,
        slots: int = 1,
        *,
        codec: str = "VP8",
        bundle: RTCBundlePolicy = RTCBundlePolicy.MAX_BUNDLE,
        channel: bool = False,
    ) -> None:
        self.peer = RTCPeerConnection(RTCConfiguration(bundlePolicy=bundle))
        self.peer.addTransceiver(AudioStreamTrack(), direction="sendonly")
        pictures = [self.peer.addTransceiver(VideoStreamTrack(), direction="sendonly")] if codec else []
        for _ in range(slots):
            self.peer.addTransceiver("audio", direction="recvonly")
            pictures += [self.peer.addTransceiver("video", direction="recvonly")] if codec else []
        if channel:
            self.peer.createDataChannel("data")
        known: list[Any] = RTCRtpSender.getCapabilities("video").codecs
        for each in pictures:
            each.setCodecPreferences([one for one in known if one.name in (codec, "rtx")])
        self._lines = [line for line in self.peer.getTransceivers() if line.direction == "recvonly"]
        self._frames = [0] * len(self._lines)
        self._readers: list[asyncio.Task[None]] = []

    async def offer(self, *, restart: bool = False) -> str:
        if restart:
            raise NotImplementedError
        await self.peer.setLocalDescription(await self.peer.createOffer())
        return self.peer.localDescription.sdp

    async def answer(self, sdp: str) -> None:
        await self.peer.setRemoteDescription(RTCSessionDescription(sdp, "answer"))
        if not self._readers:
            self._readers = [
                asyncio.create_task(self._read(index, line.receiver.track)) for index, line in enumerate(self._lines)
            ]

    async def state(self) -> str:
        return str(self.peer.connectionState)

    async def received(self) -> list[Received]:
        found = []
        for line, frames in zip(self._lines, self._frames, strict=True):
            report = await line.receiver.getStats()
            packets = sum(each.packetsReceived for each in report.values() if each.type == "inbound-rtp")
            found.append(Received(line.kind, packets, frames))
        return found

    async def close(self) -> None:
        await self.peer.close()
        await asyncio.gather(*self._readers)

    async def _read(self, index: int, track: MediaStreamTrack) -> None:
        with suppress(MediaStreamError):
            while True:
                await track.recv()
                self._frames[index] += 1
