// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, test } from "vitest";
import { Devices } from "../src/core/devices.ts";
import { Media, RECEIVE_SLOTS, slotOf } from "../src/core/media.ts";
import type { StatsRow } from "../src/core/playback.ts";
import { FakePeer, FakeTrack, givingDevices } from "./fakes.ts";
import { settled, VirtualTime } from "./virtual.ts";

const CODECS: readonly [string, string?][] = [
  ["audio/opus", "minptime=10;useinbandfec=1"], ["audio/red"], ["audio/PCMU"], ["video/VP8"], ["video/rtx"],
  ["video/VP9", "profile-id=0"], ["video/VP9", "profile-id=2"], ["video/ulpfec"],
  ["video/H264", "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"],
  ["video/H264", "level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f"],
  ["video/H264", "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=4d001f"],
];

describe("the one peer connection", () => {
  let peers: FakePeer[];
  let offers: string[];
  let accept: boolean;
  let retryMs: number;
  let patient: boolean;
  let time: VirtualTime;
  let media: Media;
  const track = new FakeTrack("audio") as unknown as MediaStreamTrack;

  beforeEach(async () => {
    peers = [];
    offers = [];
    accept = true;
    retryMs = 0;
    patient = false;
    time = new VirtualTime();
    media = new Media({
      createPeer: (config) => {
        peers.push(Object.assign(new FakePeer(), { configuration: config, patient }));
        return peers.at(-1) as unknown as RTCPeerConnection;
      },
      codecs: (kind) => CODECS.filter(([type]) => type.startsWith(kind)).map(([mimeType, sdpFmtpLine = ""]) => ({ mimeType, sdpFmtpLine, clockRate: 0 })),
      sendOffer: (_, sdp) => {
        offers.push(sdp);
        return Promise.resolve({ taken: accept, retryMs });
      },
      firstOffer: 1,
      now: time.now,
      later: time.later,
    });
    await media.connect();
  });

  test("asks nothing of a browser without WebRTC", async () => {
    const sendOffer = () => Promise.reject(new Error("an offer"));
    const without = new Media({ createPeer: () => null, codecs: () => null, sendOffer, firstOffer: 1, now: time.now, later: time.later });
    await without.connect();
    expect([without.state.get(), without.connection]).toEqual(["impossible", null]);
  });

  test("offers microphone, camera, a reserved line, then pairs of receive lines", () => {
    const lines = peers[0]!.lines.map((line) => `${line.kind} ${line.direction}`);
    expect(lines.slice(0, 3)).toEqual(["audio sendonly", "video sendonly", "video sendonly"]);
    expect(lines.slice(3)).toEqual(Array.from({ length: RECEIVE_SLOTS }, () => ["audio recvonly", "video recvonly"]).flat());
  });

  test("offers no codec that it does not need", () => {
    expect(peers[0]!.lines[0]!.codecs).toEqual(["audio/red", "audio/opus"]);
    expect(peers[0]!.lines[1]!.codecs).toEqual(["video/VP8", "video/rtx"]);
    expect(peers[0]!.lines[4]!.codecs).toEqual(["video/VP8", "video/rtx", "video/VP9", "video/H264"]);
  });

  test("offers the camera in three layers, smallest first", () => {
    expect(peers[0]!.lines[1]!.sender.parameters.encodings).toMatchObject([
      { rid: "q", scaleResolutionDownBy: 4, active: true },
      { rid: "h", scaleResolutionDownBy: 2, active: true },
      { rid: "f", scaleResolutionDownBy: 1, active: true },
    ]);
  });

  test("the layers follow the size of the picture, and movement counts more than sharpness", async () => {
    const sender = peers[0]!.lines[1]!.sender;
    await media.publish("video", new FakeTrack("video", { width: 640, height: 360 }) as unknown as MediaStreamTrack);
    expect(sender.parameters.encodings.map((one) => [one.active, one.scaleResolutionDownBy])).toEqual([[true, 2], [true, 1], [false, 1]]);
    expect(sender.parameters.degradationPreference).toBe("maintain-framerate");
    await media.publish("video", new FakeTrack("video", { width: 540, height: 960 }) as unknown as MediaStreamTrack);
    expect(sender.parameters.encodings.map((one) => [one.active, one.scaleResolutionDownBy])).toEqual([[true, 4], [true, 2], [true, 1]]);
  });

  test("a camera that goes off in the moment of leaving is no error", async () => {
    await media.publish("video", new FakeTrack("video") as unknown as MediaStreamTrack);
    const off = media.publish("video", null);
    media.close();
    await expect(off).resolves.toBeUndefined();
    expect(peers[0]!.lines[1]!.sender.closed).toBe(true);
  });

  test("an answer without simulcast leaves one encoding, which becomes the whole picture", async () => {
    const sender = peers[0]!.lines[1]!.sender;
    await media.publish("video", new FakeTrack("video", { width: 960, height: 540 }) as unknown as MediaStreamTrack);
    sender.parameters.encodings.length = 1;
    await media.answered({ type: "media_answer", offer: 1, sdp: "answer" });
    expect(sender.parameters.encodings).toMatchObject([{ active: true, scaleResolutionDownBy: 1, maxBitrate: 400_000 }]);
  });

  test("negotiates once: devices and people come and go without an offer", async () => {
    await media.answered({ type: "media_answer", offer: 1, sdp: "answer" });
    peers[0]!.become("connected");
    await media.publish("audio", track);
    await media.publish("audio", null);
    media.assign([{ index: 0, source: "p2", audio: true, video: true, paused: null }]);
    await media.connect();
    expect(peers).toHaveLength(1);
    expect(peers[0]!.offers).toBe(1);
    expect(peers[0]!.answers).toEqual(["answer"]);
    expect(media.state.get()).toBe("connected");
  });

  test("takes an answer only for its own last offer, once", async () => {
    await media.answered({ type: "media_answer", offer: 9, sdp: "foreign" });
    await media.answered({ type: "media_answer", offer: 1, sdp: "answer" });
    await media.answered({ type: "media_answer", offer: 1, sdp: "again" });
    expect(peers[0]!.answers).toEqual(["answer"]);
  });

  test("where the browser can be told, pictures do not wait for voices, and are brought together with them later", async () => {
    const answer = "v=0\r\nm=audio 9\r\na=msid:s0 a0\r\nm=video 9\r\na=msid:s0 v0\r\n";
    await media.answered({ type: "media_answer", offer: 1, sdp: answer });
    expect(peers[0]!.answers).toEqual([answer]);
    patient = true;
    await media.restart();
    await media.answered({ type: "media_answer", offer: 2, sdp: answer });
    expect(peers[1]!.answers).toEqual([answer.replace("s0 a0", "s0-voice a0")]);
    peers[1]!.become("connected");
    media.assign([{ index: 0, source: "p2", audio: true, video: true, paused: null }]);
    const [voice, picture] = [peers[1]!.lines[3]!.receiver, peers[1]!.lines[4]!.receiver];
    for (const looks of [1, 2, 3]) {
      const row = (trackIdentifier: string, delayMs: number): StatsRow => {
        return { type: "inbound-rtp", trackIdentifier, jitterBufferEmittedCount: looks, jitterBufferDelay: (looks * delayMs) / 1_000 };
      };
      peers[1]!.statistics = [row(voice.track.id, 105), row(picture.track.id, 5)];
      time.advance(2_000);
      await settled();
    }
    expect(picture.jitterBufferTarget).toBe(80);
    media.assign([{ index: 0, source: "p3", audio: true, video: true, paused: null }]);
    expect(picture.jitterBufferTarget).toBe(null);
  });

  test("a slot remembers when its source changed, and only then", () => {
    time.advance(100);
    media.assign([{ index: 2, source: "p2", audio: true, video: false, paused: null }]);
    expect(slotOf(media.slots.get(), "p2")).toMatchObject({ index: 2, audio: true, video: false, changedMs: 100 });
    time.advance(50);
    media.assign([{ index: 2, source: "p2", audio: true, video: true, paused: null }]);
    expect(slotOf(media.slots.get(), "p2")).toMatchObject({ video: true, changedMs: 100 });
    media.assign([{ index: 2, source: "p3", audio: true, video: true, paused: null }]);
    expect(slotOf(media.slots.get(), "p3")?.changedMs).toBe(150);
    expect(slotOf(media.slots.get(), "p2")).toBeUndefined();
  });

  test("a slot is cleared when somebody leaves it or their picture begins again, not when somebody comes into an empty one", () => {
    const cleared = (source: string | null, paused: "hidden" | null = null): number => {
      time.advance(100);
      media.assign(source ? [{ index: 0, source, audio: true, video: true, paused }] : []);
      return media.slots.get()[0]!.clearedMs;
    };
    const empty = media.slots.get()[0]!.clearedMs;
    expect(cleared("p2")).toBe(empty);
    expect(cleared("p3")).toBe(200);
    expect(cleared(null)).toBe(300);
    expect(cleared("p4")).toBe(300);
    expect(cleared("p4", "hidden")).toBe(300);
    expect(cleared("p4")).toBe(600);
  });

  test("a picture is paused only where the room lets one through", () => {
    media.assign([{ index: 0, source: "p2", audio: true, video: true, paused: "bandwidth" }]);
    expect(media.slots.get()[0]).toMatchObject({ video: true, paused: "bandwidth" });
    media.assign([{ index: 0, source: "p2", audio: true, video: false, paused: "bandwidth" }]);
    expect(media.slots.get()[0]).toMatchObject({ video: false, paused: null });
  });

  test("a slot that is not listed is empty", () => {
    media.assign([{ index: 0, source: "p2", audio: true, video: true, paused: null }]);
    media.assign([]);
    expect(media.slots.get()[0]).toMatchObject({ source: null, audio: false, video: false });
  });

  test("a lost peer is made anew, sending what was sent before", async () => {
    await media.publish("audio", track);
    await media.restart();
    expect(peers).toHaveLength(2);
    expect(peers[0]!.closed).toBe(true);
    expect(peers[1]!.lines[0]!.sender.track).toBe(track);
  });

  test("tries again after a failure, but not when closed meanwhile", async () => {
    peers[0]!.become("failed");
    time.advance(2_000);
    await settled();
    expect(peers).toHaveLength(2);
    peers[1]!.become("failed");
    media.close();
    time.advance(10_000);
    await settled();
    expect(peers).toHaveLength(2);
  });

  test("lost by the server, it starts anew at once if it had worked, else after a while", async () => {
    peers[0]!.become("connected");
    await media.lost(1);
    expect(peers).toHaveLength(2);
    await media.lost(2);
    expect(peers).toHaveLength(2);
    time.advance(2_000);
    await settled();
    expect(peers).toHaveLength(3);
  });

  test("the end of another page's peer is none of its business", async () => {
    await media.lost(7);
    time.advance(10_000);
    await settled();
    expect(media.state.get()).toBe("connecting");
    expect(peers).toHaveLength(1);
  });

  test("an end that came while it was away concerns any peer but one that is not answered yet", async () => {
    await media.lost(0);
    expect(peers).toHaveLength(1);
    peers[0]!.become("connected");
    await media.lost(0);
    expect(peers).toHaveLength(2);
  });

  test("an interruption is healed by an ICE restart with a new offer, on the same connection", async () => {
    await media.answered({ type: "media_answer", offer: 1, sdp: "answer" });
    peers[0]!.become("connected");
    peers[0]!.become("disconnected");
    time.advance(2_000);
    await settled();
    expect(media.state.get()).toBe("restoring");
    expect(peers[0]!.iceRestarts).toBe(1);
    expect(offers).toHaveLength(2);
    await media.answered({ type: "media_answer", offer: 2, sdp: "again" });
    expect(peers[0]!.answers).toEqual(["answer", "again"]);
    peers[0]!.become("connected");
    expect(media.state.get()).toBe("connected");
    expect(peers).toHaveLength(1);
  });

  test("an ICE restart that does not help ends in a new connection, sending what was sent before", async () => {
    await media.publish("audio", track);
    await media.answered({ type: "media_answer", offer: 1, sdp: "answer" });
    peers[0]!.become("connected");
    peers[0]!.become("failed");
    await settled();
    time.advance(10_000);
    await settled();
    expect(peers).toHaveLength(2);
    expect(peers[0]!.closed).toBe(true);
    expect(peers[1]!.lines[0]!.sender.track).toBe(track);
  });

  test("relays are used from the next connection on, and fresh credentials before", async () => {
    const relay = { urls: ["turn:relay.example:3478"], username: "1", credential: "a" };
    expect(peers[0]!.configuration).toEqual({ bundlePolicy: "max-bundle" });
    media.configure([relay], true);
    const wanted = { bundlePolicy: "max-bundle", iceServers: [relay], iceTransportPolicy: "relay" };
    expect(peers[0]!.configuration).toEqual(wanted);
    media.configure([{ ...relay, credential: "b" }]);
    await media.restart();
    expect(peers[1]!.configuration).toEqual({ ...wanted, iceServers: [{ ...relay, credential: "b" }] });
  });

  test("a server that wants to be left alone for a while is", async () => {
    accept = false;
    retryMs = 12_000;
    await media.restart();
    time.advance(11_000);
    await settled();
    expect(offers).toHaveLength(2);
    time.advance(1_500);
    await settled();
    expect(offers).toHaveLength(3);
  });

  test("a refused offer is tried again later", async () => {
    accept = false;
    await media.restart();
    expect(media.state.get()).toBe("failed");
    accept = true;
    time.advance(2_000);
    await settled();
    expect(media.state.get()).toBe("connecting");
    expect(offers).toHaveLength(3);
  });
});

describe("microphone and camera", () => {
  test("nothing is asked of the browser before a press", () => {
    const { ports, asked } = givingDevices();
    const devices = new Devices(ports);
    expect(asked).toEqual([]);
    expect(devices.camera.get().state).toBe("off");
  });

  test("off releases the device", async () => {
    const { ports, tracks } = givingDevices();
    const devices = new Devices(ports);
    expect(await devices.turnOn("camera")).toBe(true);
    expect(devices.camera.get().state).toBe("on");
    devices.turnOff("camera");
    expect(tracks[0]!.stopped).toBe(true);
    expect(devices.camera.get()).toEqual({ state: "off", problem: null, track: null });
  });

  test("turned off while the browser still asks, it stays off", async () => {
    const { ports, tracks } = givingDevices();
    const devices = new Devices(ports);
    const turning = devices.turnOn("microphone");
    devices.turnOff("microphone");
    expect(await turning).toBe(false);
    expect(tracks[0]!.stopped).toBe(true);
    expect(devices.microphone.get().state).toBe("off");
  });

  test.each([
    ["NotAllowedError", "blocked"],
    ["NotFoundError", "missing"],
    ["NotReadableError", "busy"],
    ["TypeError", "unsupported"],
  ])("%s is told as %s", async (name, problem) => {
    const devices = new Devices({ getUserMedia: () => Promise.reject(new DOMException("", name)), enumerateDevices: null, capture: {} });
    expect(await devices.turnOn("camera")).toBe(false);
    expect(devices.camera.get()).toEqual({ state: "off", problem, track: null });
  });

  test("an unplugged device is off, and says so", async () => {
    const { ports, tracks } = givingDevices();
    const devices = new Devices(ports);
    await devices.turnOn("camera");
    tracks[0]!.dispatchEvent(new Event("ended"));
    expect(devices.camera.get()).toMatchObject({ state: "off", problem: "gone" });
  });

  test("while the system gives nothing of a device, as during a call, it says so and stays on", async () => {
    const { ports, tracks } = givingDevices();
    const devices = new Devices(ports);
    await devices.turnOn("microphone");
    tracks[0]!.dispatchEvent(new Event("mute"));
    expect(devices.microphone.get()).toMatchObject({ state: "on", problem: "paused", track: tracks[0] });
    tracks[0]!.dispatchEvent(new Event("unmute"));
    expect(devices.microphone.get()).toMatchObject({ state: "on", problem: null });
    devices.turnOff("microphone");
    tracks[0]!.dispatchEvent(new Event("mute"));
    expect(devices.microphone.get()).toMatchObject({ state: "off", problem: null });
  });

  test("where the chosen device has been taken away, the next press takes another one", async () => {
    const { ports, asked } = givingDevices();
    const plugged = ports.getUserMedia!;
    const getUserMedia: typeof plugged = (wanted) =>
      typeof wanted.audio === "object" && wanted.audio.deviceId ? Promise.reject(new DOMException("", "OverconstrainedError")) : plugged(wanted);
    const devices = new Devices({ ...ports, getUserMedia });
    await devices.choose("microphone", "headset");
    expect(await devices.turnOn("microphone")).toBe(true);
    expect(asked).toHaveLength(1);
    expect(devices.chosenId("microphone")).toBe("");
  });

  test("choosing another device changes one that is on, and leaves one off that is off", async () => {
    const { ports, asked } = givingDevices();
    const devices = new Devices(ports);
    await devices.choose("camera", "cam2");
    expect(asked).toEqual([]);
    await devices.turnOn("camera");
    expect(asked[0]?.video).toMatchObject({ deviceId: { exact: "cam2" } });
  });
});
