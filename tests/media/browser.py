# SPDX-License-Identifier: Apache-2.0
"""A real Chromium against a real worker: offers in, answers out, over a tiny page of our own."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Any, Final

from aiohttp import web
from playwright.async_api import Browser, Page, async_playwright

from loadtest.serving import free_port
from server.ids import MAIN, ParticipantId, PeerId, Placement, RoomId
from server.media.channel import FromWorker, OpenPeer, PeerAnswered, PeerRefused, SetRoutes, SlotsChanged
from server.media.supervisor import MediaWorker, WorkerOptions
from server.rooms.routes import RouteGroup
from tests.media.waiting import until

ROOM = RoomId("room")
PLACEMENTS: Final = (MAIN, Placement("b1"), Placement("b2"))
ANYWHERE: Final = WorkerOptions()
FLAGS = (
    "--no-sandbox",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
)

PAGE = """<!doctype html><meta charset=utf-8><title>media</title><body><script>
window.negotiations = 0;
window.configuration = CONFIGURATION;
async function join(name, slots, publish) {
  const pc = window.pc = new RTCPeerConnection({bundlePolicy: 'max-bundle', ...window.configuration});
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
async function route() {
  const all = await window.pc.getStats();
  for (const pair of all.values()) {
    if (pair.type === 'candidate-pair' && pair.nominated && pair.state === 'succeeded') {
      const local = all.get(pair.localCandidateId), remote = all.get(pair.remoteCandidateId);
      return {local: local.candidateType, relay: local.relayProtocol || '', protocol: remote.protocol,
        address: remote.address};
    }
  }
  return {};
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

    def __init__(self, browser: Browser, origin: str, options: WorkerOptions) -> None:
        self.browser = browser
        self.origin = origin
        self.messages: list[FromWorker] = []
        self.worker = MediaWorker(self.messages.append, options=options)
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
            RouteGroup(placement=placement, members=_ids(members), audio=_ids(audio), video=_ids(video))
            for placement, (members, audio, video) in zip(PLACEMENTS, groups, strict=False)
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
async def studio(
    *,
    program: str = "/usr/bin/chromium",
    host: str = "127.0.0.1",
    port: int = 0,
    options: WorkerOptions = ANYWHERE,
    configuration: Mapping[str, object] = MappingProxyType({}),
    flags: tuple[str, ...] = (),
) -> AsyncIterator[Studio]:
    """Everything up, and down again; pages come from `host` and use this RTCConfiguration. `flags` are Chromium's."""

    async def page(_: web.Request) -> web.Response:
        text = PAGE.replace("CONFIGURATION", json.dumps(dict(configuration)))
        return web.Response(text=text, content_type="text/html")

    async with async_playwright() as playwright:
        port = port or free_port()
        origin = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        # Cameras are for secure pages only, and an address other than the loopback is not secure by itself.
        secure = f"--unsafely-treat-insecure-origin-as-secure={origin}"
        browser = await playwright.chromium.launch(executable_path=program, args=[*FLAGS, secure, *flags])
        made = Studio(browser, f"{origin}/", options)
        await made.worker.start()
        app = web.Application()
        app.router.add_get("/", page)
        app.router.add_post("/offer/{name}", made.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, host, port).start()
        try:
            yield made
        finally:
            await browser.close()
            await runner.cleanup()
            await made.worker.close()


def _ids(names: tuple[str, ...]) -> tuple[ParticipantId, ...]:
    return tuple(map(ParticipantId, names))
