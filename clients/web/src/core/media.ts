// SPDX-License-Identifier: Apache-2.0
import type { IceServer, MediaAnswer, ParticipantId, PauseReason, Slot } from "../protocol/messages.ts";
import { CameraLine } from "./camera.ts";
import { trimExtensions, wantedCodecs } from "./codecs.ts";
import { offeredEncodings } from "./encodings.ts";
import { Lips, withVoicesApart } from "./lips.ts";
import type { StatsRow } from "./playback.ts";
import { Recovery } from "./recovery.ts";
import { Store } from "./store.ts";

export const RECEIVE_SLOTS = 12;

const MICROPHONE_BITRATE = 32_000;

/**
 * `restoring`: it had worked, was interrupted, and is being brought back.
 * `impossible`: this browser has no WebRTC; one reads and writes along.
 */
export type MediaState = "idle" | "connecting" | "connected" | "restoring" | "failed" | "impossible";

/**
 * One pre-negotiated pair of receive lines. `changedMs`: when `source` last changed, on the page's clock.
 *
 * `clearedMs`: what was received before that may be a picture of somebody else, or one from before a pause.
 */
export interface ReceiveSlot {
  readonly index: number;
  readonly source: ParticipantId | null;
  readonly audio: boolean;
  readonly video: boolean;
  /** Why the picture does not flow although the room lets it through. */
  readonly paused: PauseReason | null;
  readonly changedMs: number;
  readonly clearedMs: number;
  readonly audioTrack: MediaStreamTrack;
  readonly videoTrack: MediaStreamTrack;
}

/** `retryMs`: how long the server wants to be left alone, if it has not taken the offer. */
export interface OfferFate {
  readonly taken: boolean;
  readonly retryMs: number;
}

export interface MediaPorts {
  /** Null in a browser without WebRTC. */
  readonly createPeer: (config: RTCConfiguration) => RTCPeerConnection | null;
  /** The receiver's codecs, for trimming the offer; null where the browser does not tell. */
  readonly codecs: (kind: "audio" | "video") => readonly RTCRtpCodec[] | null;
  readonly sendOffer: (offer: number, sdp: string) => Promise<OfferFate>;
  /** Where the numbers of offers begin: not where those of the page before a reload did. */
  readonly firstOffer: number;
  readonly now: () => number;
  readonly later: (run: () => void, ms: number) => void;
}

const RETRY_MS = 2_000;

/** The server says so after a resume when it does not know which offer the peer that has ended came from. */
const ANY_OFFER = 0;

/**
 * The one RTCPeerConnection of this person.
 *
 * Its lines are negotiated once: microphone, camera, a reserved screen line, then `RECEIVE_SLOTS` pairs. Afterwards
 * devices come and go by `replaceTrack` and people by the server's slot map; a move touches none of it.
 */
export class Media {
  readonly state = new Store<MediaState>("idle");
  readonly slots = new Store<readonly ReceiveSlot[]>([]);
  private peer: RTCPeerConnection | null = null;
  private senders: { microphone: RTCRtpSender; camera: CameraLine } | null = null;
  private readonly tracks: { audio: MediaStreamTrack | null; video: MediaStreamTrack | null } = {
    audio: null,
    video: null,
  };
  private recovery: Recovery | null = null;
  /** Of the pictures, by slot. */
  private receivers: readonly RTCRtpReceiver[] = [];
  private readonly lips: Lips;
  private map: readonly Slot[] = [];
  private offer: number;
  private reach: RTCConfiguration = {};
  private retryMs = 0;

  constructor(private readonly ports: MediaPorts) {
    this.offer = ports.firstOffer - 1;
    this.lips = new Lips({
      slots: () => this.slots.get(),
      statistics: () => this.statistics(),
      hold: (slot, ms) => this.hold(slot, ms),
      now: ports.now,
      later: ports.later,
    });
  }

  get connection(): RTCPeerConnection | null {
    return this.peer;
  }

  /** Connects unless already connected or on the way. */
  async connect(): Promise<void> {
    if (this.peer && this.state.get() !== "failed") return;
    this.close();
    const peer = this.ports.createPeer({ ...this.reach, bundlePolicy: "max-bundle" });
    if (!peer) {
      this.state.set("impossible");
      return;
    }
    this.peer = peer;
    this.state.set("connecting");
    this.recovery = new Recovery({
      restart: () => this.restartIce(peer),
      renew: () => void this.restart(),
      interrupted: () => this.state.set("restoring"),
      later: this.ports.later,
    });
    peer.addEventListener("connectionstatechange", () => this.stateChanged(peer));
    this.addLines(peer);
    if (!(await this.negotiate(peer)) && peer === this.peer) this.failed(peer);
  }

  /** Over what the media may go; holds from the next ICE restart or connection on. `relayOnly` undefined: as before. */
  configure(servers: readonly IceServer[], relayOnly?: boolean): void {
    this.reach = reachOf(servers, relayOnly, this.reach);
    this.peer?.setConfiguration({ ...this.peer.getConfiguration(), ...this.reach });
  }

  /** The browser says that the network is another one, or that the page was asleep. */
  networkChanged(): void {
    this.recovery?.networkChanged();
  }

  resumed(): void {
    this.recovery?.resumed();
  }

  async answered(answer: MediaAnswer): Promise<void> {
    if (!this.peer || answer.offer !== this.offer || this.peer.signalingState !== "have-local-offer") return;
    const ours = this.steersPictures;
    await this.peer.setRemoteDescription({ type: "answer", sdp: ours ? withVoicesApart(answer.sdp) : answer.sdp });
    if (ours) this.lips.start();
    await this.senders?.camera.negotiated();
  }

  /** The server says that the peer of this offer is gone: at once anew if it had worked, else after a while. */
  async lost(offer: number): Promise<void> {
    const ours = offer === ANY_OFFER ? this.state.get() !== "connecting" : offer === this.offer;
    if (!ours) return;
    if (this.peer && this.state.get() === "connecting") this.failed(this.peer);
    else await this.restart();
  }

  /** Starts anew, with the same tracks. */
  async restart(): Promise<void> {
    if (!this.peer) return;
    this.state.set("failed");
    await this.connect();
  }

  close(): void {
    this.recovery?.stop();
    this.recovery = null;
    this.lips.stop();
    this.receivers = [];
    this.senders?.camera.stop();
    this.peer?.close();
    this.peer = null;
    this.senders = null;
    this.map = [];
    this.slots.set([]);
    this.state.set("idle");
  }

  /** Sends this track, or nothing; negotiates nothing. */
  async publish(kind: "audio" | "video", track: MediaStreamTrack | null): Promise<void> {
    if (this.tracks[kind] === track) return;
    this.tracks[kind] = track;
    if (kind === "audio") await this.senders?.microphone.replaceTrack(track);
    else await this.senders?.camera.send(track);
  }

  /** Null while nothing is connected. */
  statistics(): Promise<readonly StatsRow[]> | null {
    if (!this.peer || this.state.get() !== "connected") return null;
    return this.peer.getStats().then((report) => [...(report as unknown as ReadonlyMap<string, StatsRow>).values()]);
  }

  /** Who is in the slots; null while nothing is connected. */
  sources(): readonly ParticipantId[] | null {
    if (this.state.get() !== "connected") return null;
    return this.slots.get().flatMap((slot) => slot.source ?? []);
  }

  /** The server's slot map; slots not listed are empty. */
  assign(map: readonly Slot[]): void {
    this.map = map;
    const now = this.ports.now();
    const before = this.slots.get();
    this.slots.set(before.map((slot) => assigned(slot, map, now)));
    for (const slot of before) if (slot.source !== this.slots.get()[slot.index]?.source) this.lips.changed(slot.index);
  }

  /** Whether this browser lets us say how long a picture waits; else lips and voice stay its own concern. */
  private get steersPictures(): boolean {
    return this.receivers.some((receiver) => "jitterBufferTarget" in receiver);
  }

  private hold(slot: number, ms: number): void {
    const receiver = this.receivers[slot];
    if (receiver) receiver.jitterBufferTarget = ms === 0 ? null : ms;
  }

  private addLines(peer: RTCPeerConnection): void {
    const microphone = this.line(peer, "audio", "sendonly", [{ maxBitrate: MICROPHONE_BITRATE }]).sender;
    const camera = new CameraLine(this.line(peer, "video", "sendonly", offeredEncodings()).sender);
    this.line(peer, "video", "sendonly");
    this.senders = { microphone, camera };
    void microphone.replaceTrack(this.tracks.audio);
    void camera.send(this.tracks.video);
    const now = this.ports.now();
    const pairs = Array.from({ length: RECEIVE_SLOTS }, () => {
      return [this.line(peer, "audio", "recvonly").receiver, this.line(peer, "video", "recvonly").receiver] as const;
    });
    this.receivers = pairs.map(([, picture]) => picture);
    const slots = pairs.map(([{ track: audioTrack }, { track: videoTrack }], index): ReceiveSlot => {
      const empty = { index, source: null, audio: false, video: false, paused: null, changedMs: now, clearedMs: now, audioTrack, videoTrack };
      return assigned(empty, this.map, now);
    });
    this.slots.set(slots);
  }

  private line(
    peer: RTCPeerConnection,
    kind: "audio" | "video",
    direction: "sendonly" | "recvonly",
    sendEncodings?: RTCRtpEncodingParameters[],
  ): RTCRtpTransceiver {
    const line = peer.addTransceiver(kind, { direction, ...(sendEncodings ? { sendEncodings } : {}) });
    const codecs = this.ports.codecs(kind);
    if (codecs) line.setCodecPreferences(wantedCodecs(codecs, direction));
    trimExtensions(line);
    return line;
  }

  /** Resolves to whether the server has taken the offer; its answer comes as a message. */
  private async negotiate(peer: RTCPeerConnection): Promise<boolean> {
    const description = await peer.createOffer();
    if (peer !== this.peer) return false;
    await peer.setLocalDescription(description);
    const { taken, retryMs } = await this.ports.sendOffer(++this.offer, peer.localDescription?.sdp ?? "");
    this.retryMs = retryMs;
    return taken;
  }

  private async restartIce(peer: RTCPeerConnection): Promise<boolean> {
    if (peer !== this.peer || peer.signalingState !== "stable") return false;
    peer.restartIce();
    return this.negotiate(peer);
  }

  private stateChanged(peer: RTCPeerConnection): void {
    if (peer !== this.peer) return;
    const { connectionState } = peer;
    const ours = this.recovery?.became(connectionState) ?? false;
    if (connectionState === "connected") this.state.set("connected");
    if (connectionState === "failed" && !ours) this.failed(peer);
  }

  private failed(peer: RTCPeerConnection): void {
    this.state.set("failed");
    this.ports.later(() => {
      if (peer === this.peer && this.state.get() === "failed") void this.connect();
    }, Math.max(RETRY_MS, this.retryMs));
    this.retryMs = 0;
  }
}

/** How a browser is told over what its media may go; `relayOnly` undefined: as before. */
export function reachOf(
  servers: readonly IceServer[],
  relayOnly: boolean | undefined,
  before: RTCConfiguration,
): RTCConfiguration {
  const iceServers = servers.map(({ urls, username, credential }) => ({ urls: [...urls], username, credential }));
  const policy = relayOnly === undefined ? before.iceTransportPolicy : relayOnly ? "relay" : "all";
  return { iceServers, ...(policy ? { iceTransportPolicy: policy } : {}) };
}

function assigned(slot: ReceiveSlot, map: readonly Slot[], nowMs: number): ReceiveSlot {
  const given = map.find((item) => item.index === slot.index);
  const source = given?.source ?? null;
  const audio = source !== null && (given?.audio ?? false);
  const video = source !== null && (given?.video ?? false);
  const paused = video ? (given?.paused ?? null) : null;
  if (source === slot.source && audio === slot.audio && video === slot.video && paused === slot.paused) return slot;
  const changedMs = source === slot.source ? slot.changedMs : nowMs;
  const after = { ...slot, source, audio, video, paused, changedMs };
  return { ...after, clearedMs: isCleared(slot, after) ? nowMs : slot.clearedMs };
}

/** Whoever comes into a slot that was empty follows nobody: the server sends nothing of those who have left it. */
function isCleared(before: ReceiveSlot, after: ReceiveSlot): boolean {
  if (before.source !== after.source) return before.source !== null;
  return flows(after) && !flows(before);
}

function flows(slot: ReceiveSlot): boolean {
  return slot.video && slot.paused === null;
}

/** In which slot a person is; undefined when in none. */
export function slotOf(slots: readonly ReceiveSlot[], id: ParticipantId): ReceiveSlot | undefined {
  return slots.find((slot) => slot.source === id);
}
