// SPDX-License-Identifier: Apache-2.0
// werift, a stack in TypeScript: node werift.mjs SLOTS CLIP [max-bundle|max-compat|disable]
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Sender, serve, Tally } from "./lines.mjs";

const werift = createRequire(`${process.env.INTEROP_MODULES}/`)("werift");

class Werift {
  constructor(slots, clip, policy) {
    const { MediaStreamTrack, RTCPeerConnection, RTCRtpCodecParameters } = werift;
    const feedback = ["nack", "nack pli", "goog-remb"].map((each) => {
      const [type, parameter] = each.split(" ");
      return { type, parameter };
    });
    this.peer = new RTCPeerConnection({
      bundlePolicy: policy,
      codecs: {
        audio: [new RTCRtpCodecParameters({ mimeType: "audio/opus", clockRate: 48000, channels: 2, payloadType: 96 })],
        video: [
          new RTCRtpCodecParameters({ mimeType: "video/VP8", clockRate: 90000, payloadType: 97, rtcpFeedback: feedback }),
        ],
      },
    });
    this.clip = clip;
    this.tally = new Tally();
    this.voice = new MediaStreamTrack({ kind: "audio" });
    this.camera = new MediaStreamTrack({ kind: "video" });
    this.peer.addTransceiver(this.voice, { direction: "sendonly" });
    this.peer.addTransceiver(this.camera, { direction: "sendonly" });
    for (let slot = 0; slot < slots; slot++)
      for (const kind of ["audio", "video"]) this.watch(this.peer.addTransceiver(kind, { direction: "recvonly" }), kind);
  }

  watch(transceiver, kind) {
    const line = this.tally.add(kind);
    transceiver.onTrack.subscribe((track) =>
      track.onReceiveRtp.subscribe((packet) => {
        line.packets++;
        if (packet.header.marker) line.frames++;
      }),
    );
  }

  async offer(restart) {
    this.restarting = restart;
    if (restart) this.peer.restartIce();
    await this.peer.setLocalDescription(await this.peer.createOffer());
    return this.peer.localDescription.sdp;
  }

  async answer(sdp) {
    await this.peer.setRemoteDescription({ type: "answer", sdp });
    // Once its DTLS is up it begins no checks by itself, and an ICE-lite agent begins none either.
    if (this.restarting) await Promise.all(this.peer.iceTransports.map((each) => each.start()));
    this.restarting = false;
    const line = (track, payloadType, ssrc) => ({ payloadType, ssrc, send: (packet) => track.writeRtp(packet) });
    this.sender ??= new Sender(this.clip, line(this.voice, 96, 1), line(this.camera, 97, 2));
  }

  state() {
    return this.peer.connectionState;
  }

  received() {
    return this.tally.lines;
  }

  async close() {
    this.sender?.stop();
    await this.peer.close();
  }
}

const [, , slots, clip, policy] = process.argv;
await serve(new Werift(Number(slots), JSON.parse(readFileSync(clip, "utf8")), policy));
