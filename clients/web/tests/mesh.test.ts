// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import type { MediaState, ReceiveSlot } from "../src/core/media.ts";
import { Mesh } from "../src/core/mesh.ts";
import { Store } from "../src/core/store.ts";
import { room } from "../src/fixtures/views.ts";
import type { Participant, PeerSaid, PeerSignal } from "../src/protocol/messages.ts";
import { settled, VirtualTime } from "./virtual.ts";

/** As much of an RTCPeerConnection as two of them need to agree: offers, answers, and lines that come with an offer. */
class PairPeer extends EventTarget {
  connectionState: RTCPeerConnectionState = "new";
  signalingState: RTCSignalingState = "stable";
  localDescription: { type: string; sdp: string } | null = null;
  remote: string[] = [];
  candidates: string[] = [];
  configuration: RTCConfiguration = {};
  closed = false;
  private lines: { kind: string; direction: string; sender: object; receiver: { track: object } }[] = [];

  addTransceiver(kind: string, init?: { direction: string }): object {
    const sender = { track: null as object | null, replaceTrack: (track: object | null) => void (sender.track = track) };
    const line = { kind, direction: init?.direction ?? "recvonly", sender, receiver: { track: { kind } } };
    this.lines.push(line);
    // One event for all lines that are added together.
    if (init && this.lines.length === 1) queueMicrotask(() => this.dispatchEvent(new Event("negotiationneeded")));
    return line;
  }
  getTransceivers(): object[] {
    return this.lines;
  }
  setLocalDescription(): Promise<void> {
    const type = this.signalingState === "have-remote-offer" ? "answer" : "offer";
    this.signalingState = type === "answer" ? "stable" : "have-local-offer";
    this.localDescription = { type, sdp: type };
    const candidate = Object.assign(new Event("icecandidate"), { candidate: { candidate: `of ${type}`, sdpMid: "0" } });
    this.dispatchEvent(candidate);
    return Promise.resolve();
  }
  setRemoteDescription({ type, sdp }: { type: string; sdp: string }): Promise<void> {
    this.remote.push(sdp);
    if (type === "offer" && this.lines.length === 0) for (const kind of ["audio", "video"]) this.addTransceiver(kind);
    this.signalingState = type === "offer" ? "have-remote-offer" : "stable";
    return Promise.resolve();
  }
  addIceCandidate({ candidate }: { candidate: string }): Promise<void> {
    this.candidates.push(candidate);
    return Promise.resolve();
  }
  getConfiguration = (): RTCConfiguration => this.configuration;
  setConfiguration = (to: RTCConfiguration): void => void (this.configuration = to);
  restartIce(): void {}
  close(): void {
    this.closed = true;
  }
}

class Side {
  readonly peers: PairPeer[] = [];
  readonly slots = new Store<readonly ReceiveSlot[]>([]);
  readonly state = new Store<MediaState>("idle");
  readonly sent: PeerSignal[] = [];
  readonly mesh: Mesh;
  to: Side | null = null;

  constructor(
    readonly person: Participant,
    time: VirtualTime,
    page = 1,
  ) {
    this.mesh = new Mesh(
      {
        createPeer: (config) => {
          const peer = new PairPeer();
          peer.configuration = config;
          this.peers.push(peer);
          return peer as unknown as RTCPeerConnection;
        },
        codecs: () => null,
        signal: (signal) => {
          this.sent.push(signal);
          const { connection, other, description, candidate } = signal;
          const said = { sender: this.person.id, connection, other, description, candidate } as Omit<PeerSaid, "type">;
          void this.to?.mesh.said({ type: "peer_said", ...said });
        },
        newName: () => `${this.person.id}${page}.${this.peers.length}`,
        now: time.now,
        later: time.later,
      },
      { slots: this.slots, state: this.state },
    );
  }

  get peer(): PairPeer {
    return this.peers.at(-1)!;
  }
}

const time = new VirtualTime();
const [ANA, BEN] = Object.values(room().participants).slice(0, 2).map((person, index) => ({
  ...person, id: "ab"[index]!, microphone: true, camera: true, hard_muted: false,
})) as [Participant, Participant];

async function quiet(): Promise<void> {
  for (let i = 0; i < 10; i++) await settled();
}

async function pair(): Promise<[Side, Side]> {
  const sides: [Side, Side] = [new Side(ANA, time), new Side(BEN, time)];
  [sides[0].to, sides[1].to] = [sides[1], sides[0]];
  sides[0].mesh.meet("a", BEN);
  sides[1].mesh.meet("b", ANA);
  await quiet();
  return sides;
}

test("two people agree, on one connection each, and show each other", async () => {
  const [ana, ben] = await pair();
  expect([ana.peers.length, ben.peers.length]).toEqual([1, 1]);
  expect([ana.peer.signalingState, ben.peer.signalingState]).toEqual(["stable", "stable"]);
  expect(ana.peer.remote).toContain("answer");
  expect(ana.slots.get().map((slot) => [slot.source, slot.audio, slot.video])).toEqual([["b", true, true]]);
  expect(ben.slots.get().map((slot) => slot.source)).toEqual(["a"]);
  expect(ana.peer.candidates.length).toBeGreaterThan(0);
});

test("candidates wait until the other connection has a name", async () => {
  const alone = new Side(ANA, time);
  alone.mesh.meet("a", BEN);
  await quiet();
  expect(alone.sent.map((signal) => [signal.description !== null, signal.candidate !== null])).toEqual([[true, false]]);
});

test.each([0, 1])("a page that was reloaded is met anew (side %i)", async (index) => {
  const sides = await pair();
  const [before, stays] = [sides[index]!, sides[1 - index]!];
  const after = new Side(before.person, time, 2);
  [after.to, stays.to] = [stays, after];
  after.mesh.meet(before.person.id, stays.person);
  await quiet();
  expect(stays.peers.length).toBe(2);
  expect(stays.peers[0]!.closed).toBe(true);
  expect([after.peer.signalingState, stays.peer.signalingState]).toEqual(["stable", "stable"]);
  expect(stays.slots.get().map((slot) => slot.source)).toEqual([before.person.id]);
});

test("words for an earlier connection, and of somebody else, are ignored", async () => {
  const [ana, ben] = await pair();
  const late = { type: "peer_said", sender: "b", connection: "b0.9", other: "a0.9", description: null } as const;
  const heard = ana.peer.candidates.length;
  await ana.mesh.said({ ...late, candidate: { candidate: "late", mid: "0" } });
  await ana.mesh.said({ ...late, sender: "eve", other: "", candidate: { candidate: "eve", mid: "0" } });
  expect(ana.peer.candidates.length).toBe(heard);
  expect([ana.peers.length, ben.peers.length]).toEqual([1, 1]);
});

test("hard-muted, the other is shown as silent; gone, nobody is shown", async () => {
  const [ana] = await pair();
  ana.mesh.meet("a", { ...BEN, hard_muted: true });
  expect(ana.slots.get()[0]?.audio).toBe(false);
  ana.mesh.meet("a", null);
  expect(ana.slots.get()).toEqual([]);
  expect(ana.peers[0]!.closed).toBe(true);
});

test("relay only is kept when credentials are refreshed", async () => {
  const [ana] = await pair();
  ana.mesh.configure([], true);
  ana.mesh.configure([{ urls: ["turn:turn.example.org"], username: "u", credential: "c" }]);
  expect(ana.peer.configuration.iceTransportPolicy).toBe("relay");
  ana.mesh.meet("a", null);
  ana.mesh.meet("a", BEN);
  expect(ana.peer.configuration.iceTransportPolicy).toBe("relay");
});

test("words that reached nobody while both were away are said anew after the next welcome", async () => {
  const [ana, ben] = [new Side(ANA, time), new Side(BEN, time)];
  ana.mesh.meet("a", BEN);
  ben.mesh.meet("b", ANA);
  await quiet();
  [ana.to, ben.to] = [ben, ana];
  ana.mesh.meet("a", BEN);
  await quiet();
  expect(ben.peer.remote).toEqual([]);
  ben.mesh.meet("b", ANA, true);
  await quiet();
  expect([ana.peer.signalingState, ben.peer.signalingState]).toEqual(["stable", "stable"]);
  expect(ben.peer.remote).toEqual(["offer"]);
});
