// SPDX-License-Identifier: Apache-2.0
// libdatachannel through `node-datachannel`: node datachannel.mjs SLOTS CLIP
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Sender, serve, Tally } from "./lines.mjs";

const native = createRequire(`${process.env.INTEROP_MODULES}/`)("node-datachannel");
const OPUS = 111;
const VP8 = 96;

class Datachannel {
  constructor(slots, clip) {
    this.peer = new native.PeerConnection("client", { iceServers: [], disableAutoNegotiation: true });
    this.clip = clip;
    this.tally = new Tally();
    this.current = "new";
    this.peer.onStateChange((state) => {
      this.current = state;
    });
    this.voice = this.add("audio", "0", "SendOnly", 1);
    this.camera = this.add("video", "1", "SendOnly", 2);
    this.slots = [];
    for (let slot = 0; slot < slots; slot++)
      for (const kind of ["audio", "video"]) this.watch(this.add(kind, String(2 + this.slots.length), "RecvOnly"), kind);
  }

  add(kind, mid, direction, ssrc) {
    const media = kind === "audio" ? new native.Audio(mid, direction) : new native.Video(mid, direction);
    if (kind === "audio") media.addOpusCodec(OPUS);
    else media.addVP8Codec(VP8);
    if (ssrc) media.addSSRC(ssrc, "client", "stream", kind);
    return this.peer.addTrack(media);
  }

  watch(track, kind) {
    const line = this.tally.add(kind);
    track.setMediaHandler(new native.RtcpReceivingSession());
    track.onMessage((packet) => {
      line.packets++;
      if (packet[1] & 0x80) line.frames++;
    });
    this.slots.push(track);
  }

  async offer(restart) {
    if (restart) throw new Error("this stack restarts no ICE");
    const gathered = new Promise((resolve) => {
      this.peer.onGatheringStateChange((state) => state === "complete" && resolve());
    });
    this.peer.setLocalDescription("offer");
    await gathered;
    return this.peer.localDescription().sdp;
  }

  answer(sdp) {
    this.peer.setRemoteDescription(sdp, "answer");
    const line = (track, payloadType, ssrc) => ({
      payloadType,
      ssrc,
      send: (packet) => track.isOpen() && track.sendMessageBinary(packet),
    });
    this.sender ??= new Sender(this.clip, line(this.voice, OPUS, 1), line(this.camera, VP8, 2));
  }

  state() {
    return this.current;
  }

  received() {
    return this.tally.lines;
  }

  close() {
    this.sender?.stop();
    this.peer.close();
  }
}

const [, , slots, clip] = process.argv;
await serve(new Datachannel(Number(slots), JSON.parse(readFileSync(clip, "utf8"))));
