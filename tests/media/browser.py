# SPDX-License-Identifier: Apache-2.0
"""A real Chromium against a real worker: offers in, answers out, over a tiny page of our own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from playwright.async_api import Browser, Page, async_playwright

from server.ids import MAIN, ParticipantId, PeerId, RoomId
from server.media.channel import FromWorker, OpenPeer, PeerAnswered, PeerRefused, SetRoutes, SlotsChanged
from server.media.supervisor import MediaWorker
from server.rooms.routes import RouteGroup
from tests.media.waiting import until

ROOM = RoomId("room")
FLAGS = (
    "--no-sandbox",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
)

PAGE = """<!doctype html><meta charset=utf-8><title>media</title><body><script>
window.negotiations = 0;
async function join(name, slots, publish) {
  const pc = window.pc = new RTCPeerConnection({bundlePolicy: 'max-bundle'});
  const mic = pc.addTransceiver('audio', {direction: 'sendonly'});
  const camera = pc.addTransceiver('video', {direction: 'sendonly'});
  pc.addTransceiver('video', {direction: 'sendonly'});
  window.slots = [];
  for (let i = 0; i < slots; i++) {
    const audio = pc.addTransceiver('audio', {direction: 'recvonly'});
    const video = pc.addTransceiver('video', {direction: 'recvonly'});
    const element = document.createElement('video');
    element.srcObject = new MediaStream([audio.receiver.track, video.receiver.track]);
    element.autoplay = true; element.playsInline = true; element.width = 160;
    document.body.append(element);
    window.slots.push({audio, video, element});
  }
  await pc.setLocalDescription();
  const reply = await fetch('/offer/' + name, {method: 'POST', body: pc.localDescription.sdp});
  await pc.setRemoteDescription({type: 'answer', sdp: await reply.text()});
  pc.onnegotiationneeded = () => { window.negotiations++; };
  if (publish) {
    const video = {width: 640, height: 360, frameRate: 15};
    const media = await navigator.mediaDevices.getUserMedia({audio: true, video});
    await mic.sender.replaceTrack(media.getAudioTracks()[0]);
    await camera.sender.replaceTrack(media.getVideoTracks()[0]);
  }
}
async function figures() {
  const out = {inbound: [], outbound: [], negotiations: window.negotiations, state: window.pc.connectionState};
  for (const s of (await window.pc.getStats()).values()) {
    if (s.type === 'inbound-rtp') out.inbound.push({kind: s.kind, ssrc: s.ssrc, packets: s.packetsReceived,
      frames: s.framesDecoded, energy: s.totalAudioEnergy, freezes: s.freezeCount});
    if (s.type === 'outbound-rtp') out.outbound.push({kind: s.kind, packets: s.packetsSent, target: s.targetBitrate,
      requests: s.pliCount, keyframes: s.keyFramesEncoded});
    if (s.type === 'candidate-pair' && s.nominated) out.available = s.availableOutgoingBitrate;
  }
  return out;
}
</script>"""


class Studio:
    """One worker, one page server, one browser; `messages` is everything the worker said."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.messages: list[FromWorker] = []
        self.worker = MediaWorker(self.messages.append)
        self.origin = ""
        self._revision = 0

    async def answer(self, request: web.Request) -> web.Response:
        """Pass an offer to the worker and wait for its answer."""
        name = request.match_info["name"]
        peer, participant = PeerId(f"peer-{name}"), ParticipantId(name)
        self.worker.send(OpenPeer(peer=peer, room=ROOM, participant=participant, sdp=await request.text()))
        reply = await until(lambda: self._reply_to(peer))
        return web.Response(text=reply.sdp)

    def route(self, *groups: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]) -> None:
        """Set the routes: members, heard and seen of each group."""
        self._revision += 1
        made = tuple(
            RouteGroup(placement=MAIN, members=_ids(members), audio=_ids(audio), video=_ids(video))
            for members, audio, video in groups
        )
        self.worker.send(SetRoutes(room=ROOM, revision=self._revision, groups=made))

    async def join(self, name: str, slots: int = 1, *, publish: bool = True) -> Page:
        """A page of an own context, connected."""
        context = await self.browser.new_context()
        page = await context.new_page()
        await page.goto(self.origin)
        await page.evaluate("([n, s, p]) => join(n, s, p)", [name, slots, publish])
        return page

    def slots_of(self, name: str) -> SlotsChanged | None:
        """The last slot notice for this participant."""
        found = [m for m in self.messages if isinstance(m, SlotsChanged) and m.peer == f"peer-{name}"]
        return found[-1] if found else None

    def _reply_to(self, peer: PeerId) -> PeerAnswered | None:
        for message in self.messages:
            assert not isinstance(message, PeerRefused), message
            if isinstance(message, PeerAnswered) and message.peer == peer:
                return message
        return None


async def figures(page: Page) -> dict[str, Any]:
    """Numbers of `getStats` in one page."""
    found: dict[str, Any] = await page.evaluate("figures()")
    return found


def inbound(found: dict[str, Any], kind: str) -> dict[str, Any]:
    """The one incoming stream of a kind."""
    streams = [stream for stream in found["inbound"] if stream["kind"] == kind]
    assert len(streams) == 1, streams
    return dict(streams[0])


@asynccontextmanager
async def studio() -> AsyncIterator[Studio]:
    """Everything up, and down again."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(FLAGS))
        made = Studio(browser)
        await made.worker.start()
        app = web.Application()
        app.router.add_get("/", _page)
        app.router.add_post("/offer/{name}", made.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        made.origin = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        try:
            yield made
        finally:
            await browser.close()
            await runner.cleanup()
            await made.worker.close()


async def _page(_: web.Request) -> web.Response:
    return web.Response(text=PAGE, content_type="text/html")


def _ids(names: tuple[str, ...]) -> tuple[ParticipantId, ...]:
    return tuple(map(ParticipantId, names))
