// SPDX-License-Identifier: Apache-2.0
// libwebrtc as `@roamhq/wrtc` has it: node roamhq.mjs SLOTS
import { createRequire } from "node:module";
import { serve } from "./lines.mjs";

const wrtc = createRequire(`${process.env.INTEROP_MODULES}/`)("@roamhq/wrtc");
const [WIDTH, HEIGHT] = [320, 240];

class Roamhq {
  constructor(slots) {
    this.peer = new wrtc.RTCPeerConnection({ sdpSemantics: "unified-plan" });
    this.voice = new wrtc.nonstandard.RTCAudioSource();
    this.camera = new wrtc.nonstandard.RTCVideoSource();
    this.peer.addTransceiver(this.voice.createTrack(), { direction: "sendonly" });
    this.peer.addTransceiver(this.camera.createTrack(), { direction: "sendonly" });
    this.peer.addTransceiver("video", { direction: "sendonly" });
    for (let slot = 0; slot < slots; slot++) {
      this.peer.addTransceiver("audio", { direction: "recvonly" });
      this.peer.addTransceiver("video", { direction: "recvonly" });
    }
    this.timers = [];
  }

  async offer(restart) {
    await this.peer.setLocalDescription(await this.peer.createOffer({ iceRestart: restart }));
    return this.peer.localDescription.sdp;
  }

  async answer(sdp) {
    await this.peer.setRemoteDescription({ type: "answer", sdp });
    if (this.timers.length === 0)
      this.timers = [setInterval(() => this.speak(), 10), setInterval(() => this.show(), 66)];
  }

  state() {
    return this.peer.connectionState;
  }

  async received() {
    const inbound = [...(await this.peer.getStats()).values()].filter((each) => each.type === "inbound-rtp");
    return this.peer
      .getTransceivers()
      .slice(3)
      .map(({ receiver: { track } }) => {
        const of = inbound.find((each) => each.trackIdentifier === track.id);
        return { kind: track.kind, packets: of?.packetsReceived ?? 0, frames: of?.framesDecoded ?? 0 };
      });
  }

  close() {
    this.timers.forEach(clearInterval);
    this.peer.close();
  }

  speak() {
    const samples = Int16Array.from({ length: 480 }, (_, at) => (Math.floor(at / 48) % 2 ? 4000 : -4000));
    this.voice.onData({ samples, sampleRate: 48000, bitsPerSample: 16, channelCount: 1, numberOfFrames: 480 });
  }

  show() {
    const data = new Uint8ClampedArray((WIDTH * HEIGHT * 3) / 2).fill(Date.now() % 200);
    this.camera.onFrame({ width: WIDTH, height: HEIGHT, data });
  }
}

await serve(new Roamhq(Number(process.argv[2])));
