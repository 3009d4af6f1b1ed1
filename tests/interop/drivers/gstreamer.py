# SPDX-License-Identifier: Apache-2.0
# mypy: disable-error-code="import-not-found,import-untyped"
"""GStreamer's webrtcbin: /usr/bin/python3 gstreamer.py SLOTS [none|balanced|max-compat|max-bundle]."""

from __future__ import annotations

import asyncio
import sys
from typing import Any, Final

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstWebRTC", "1.0")
gi.require_version("GstSdp", "1.0")
from gi.repository import Gst, GstSdp, GstWebRTC  # noqa: E402
from lines import serve  # noqa: E402

_PIPELINE: Final = """
webrtcbin name=peer bundle-policy={policy}
audiotestsrc is-live=true wave=ticks ! audioconvert ! opusenc ! rtpopuspay pt=111 ! {voice} ! peer.
videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=15/1 !
    vp8enc deadline=1 keyframe-max-dist=60 ! rtpvp8pay pt=96 picture-id-mode=15-bit ! {camera} ! peer.
"""
_VOICE: Final = (
    "application/x-rtp,media=audio,encoding-name=OPUS,payload=111,clock-rate=48000,encoding-params=(string)2"
)
_CAMERA: Final = "application/x-rtp,media=video,encoding-name=VP8,payload=96,clock-rate=90000"
_STATES: Final = ("new", "connecting", "connected", "disconnected", "failed", "closed")


class Gstreamer:
    """Encodes and decodes; bundles as it is told to."""

    def __init__(self, slots: int, policy: str) -> None:
        Gst.init(None)
        self._pipeline = Gst.parse_launch(_PIPELINE.format(policy=policy, voice=_VOICE, camera=_CAMERA))
        self._peer = self._pipeline.get_by_name("peer")
        self._kept: list[Any] = []
        receive = GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY
        send = GstWebRTC.WebRTCRTPTransceiverDirection.SENDONLY
        for index in range(2):
            self._peer.emit("get-transceiver", index).set_property("direction", send)
        kinds = ("audio", "video") * slots
        self._received: list[dict[str, Any]] = [{"kind": kind, "packets": 0, "frames": 0} for kind in kinds]
        for line in self._received:
            caps = Gst.Caps.from_string(_VOICE if line["kind"] == "audio" else _CAMERA)
            transceiver = self._peer.emit("add-transceiver", receive, caps)
            transceiver.set_property("do-nack", line["kind"] == "video")
        self._peer.connect("pad-added", self._added)
        self._pipeline.set_state(Gst.State.PLAYING)

    async def offer(self, *, restart: bool) -> str:
        if restart:
            raise NotImplementedError("this stack restarts no ICE")
        offer = await self._promised("create-offer", None, "offer")
        await self._promised("set-local-description", offer)
        done = GstWebRTC.WebRTCICEGatheringState.COMPLETE
        while self._peer.get_property("ice-gathering-state") != done:  # noqa: ASYNC110 - it tells another thread
            await asyncio.sleep(0.05)
        return str(self._peer.get_property("local-description").sdp.as_text())

    async def answer(self, sdp: str) -> None:
        _, message = GstSdp.SDPMessage.new_from_text(sdp)
        answer = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, message)
        await self._promised("set-remote-description", answer)

    async def state(self) -> str:
        return _STATES[int(self._peer.get_property("connection-state"))]

    async def received(self) -> list[dict[str, Any]]:
        return self._received

    async def close(self) -> None:
        self._pipeline.set_state(Gst.State.NULL)

    async def _promised(self, signal: str, argument: object, wanted: str = "") -> Any:  # noqa: ANN401 - any GObject
        promise = Gst.Promise.new()
        self._peer.emit(signal, argument, promise)
        await asyncio.get_running_loop().run_in_executor(None, promise.wait)
        reply = promise.get_reply()
        if reply is not None and reply.has_field("error"):
            raise RuntimeError(reply.get_value("error").message)
        self._kept.append(reply)  # what is in it would go with it
        return reply.get_value(wanted) if wanted else None

    def _added(self, _peer: object, pad: Any) -> None:  # noqa: ANN401 - a Gst.Pad
        if pad.get_direction() is not Gst.PadDirection.SRC:
            return
        index = pad.get_property("transceiver").get_property("mlineindex") - 2
        line = self._received[index]
        chain = "rtpopusdepay ! opusdec" if line["kind"] == "audio" else "rtpvp8depay ! vp8dec"
        sink = Gst.parse_bin_from_description(f"{chain} ! fakesink name=end signal-handoffs=true sync=false", True)
        self._pipeline.add(sink)
        pad.add_probe(Gst.PadProbeType.BUFFER, lambda *_: self._count(line, "packets"))
        sink.get_by_name("end").connect("handoff", lambda *_: self._count(line, "frames"))
        sink.sync_state_with_parent()
        pad.link(sink.get_static_pad("sink"))

    def _count(self, line: dict[str, Any], what: str) -> Any:  # noqa: ANN401 - a Gst.PadProbeReturn
        line[what] += 1
        return Gst.PadProbeReturn.OK


asyncio.run(serve(Gstreamer(int(sys.argv[1]), sys.argv[2])))
