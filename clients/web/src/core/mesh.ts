// SPDX-License-Identifier: Apache-2.0
import type { Candidate, IceServer, Participant, ParticipantId, PeerSaid, PeerSignal } from "../protocol/messages.ts";
import { wantedCodecs } from "./codecs.ts";
import { type Media, type MediaPorts, reachOf } from "./media.ts";
import type { StatsRow } from "./playback.ts";
import { Recovery } from "./recovery.ts";
import { withoutStrayFeedback } from "./sdp.ts";

export interface MeshPorts extends Pick<MediaPorts, "createPeer" | "codecs" | "now" | "later"> {
  readonly signal: (signal: PeerSignal) => void;
  /** A name for a new RTCPeerConnection, never used before. */
  readonly newName: () => string;
}

type Word = Partial<Pick<PeerSignal, "description" | "candidate">>;

interface Lines {
  readonly audio: RTCRtpTransceiver;
  readonly video: RTCRtpTransceiver;
}

/** One RTCPeerConnection with the other person's, by the names that both have given them. */
class Link {
  /** Both ways, one for each kind; null until the first offer is there, which the impolite one makes. */
  lines: Lines | null = null;
  theirs = "";
  recovery: Recovery | null = null;
  private readonly held: Candidate[] = [];
  private offering = false;
  private deaf = false;

  constructor(
    readonly peer: RTCPeerConnection,
    readonly name: string,
    private readonly polite: boolean,
    private readonly ports: MeshPorts,
    private readonly say: (word: Word) => void,
    private readonly opened: () => void,
  ) {
    if (!polite) this.lines = { audio: this.line("audio"), video: this.line("video") };
    peer.addEventListener("negotiationneeded", () => void this.offer());
    peer.addEventListener("icecandidate", ({ candidate }) => {
      if (candidate) this.candidate({ candidate: candidate.candidate, mid: candidate.sdpMid ?? "" });
    });
  }

  /** The other's name is known from now on. */
  bind(theirs: string): void {
    this.theirs = theirs;
    for (const candidate of this.held.splice(0)) this.say({ candidate });
  }

  /** Perfect negotiation (WebRTC, section 10.7): who is polite gives way, who is not lets the other's offer pass. */
  async hear(said: PeerSaid): Promise<void> {
    if (said.description) await this.describe(said.description as RTCSessionDescriptionInit);
    else if (said.candidate) await this.reach(said.candidate);
    else await this.offer();
  }

  private async describe(description: RTCSessionDescriptionInit): Promise<void> {
    const { peer } = this;
    const collision = description.type === "offer" && (this.offering || peer.signalingState !== "stable");
    this.deaf = !this.polite && collision;
    if (this.deaf || (description.type === "answer" && peer.signalingState !== "have-local-offer")) return;
    await peer.setRemoteDescription(description);
    if (description.type === "answer") return;
    this.adopt();
    await peer.setLocalDescription();
    this.describeSelf();
  }

  private line(kind: "audio" | "video"): RTCRtpTransceiver {
    const line = this.peer.addTransceiver(kind, { direction: "sendrecv" });
    const codecs = this.ports.codecs(kind);
    if (codecs) line.setCodecPreferences(wantedCodecs(codecs, "recvonly"));
    return line;
  }

  /** An offer takes up no line that was added here: the answering side speaks on those that came with it. */
  private adopt(): void {
    if (this.lines) return;
    const all = this.peer.getTransceivers();
    const audio = all.find((line) => line.receiver.track.kind === "audio");
    const video = all.find((line) => line.receiver.track.kind === "video");
    if (!audio || !video) return;
    audio.direction = video.direction = "sendrecv";
    this.lines = { audio, video };
    this.opened();
  }

  private async reach({ candidate, mid }: Candidate): Promise<void> {
    try {
      await this.peer.addIceCandidate({ candidate, sdpMid: mid });
    } catch (error) {
      // Of an offer that was let pass.
      if (!this.deaf) throw error;
    }
  }

  /** The impolite one begins; the other may offer once they have met. */
  private async offer(): Promise<void> {
    if (this.polite && !this.theirs) return;
    if (this.peer.signalingState === "have-local-offer") return this.describeSelf();
    this.offering = true;
    try {
      await this.peer.setLocalDescription();
      this.describeSelf();
    } finally {
      this.offering = false;
    }
  }

  private describeSelf(): void {
    const description = this.peer.localDescription;
    if (!description) return;
    const sdp = withoutStrayFeedback(description.sdp);
    this.say({ description: { type: description.type as "offer" | "answer", sdp } });
  }

  private candidate(candidate: Candidate): void {
    if (this.theirs) this.say({ candidate });
    else this.held.push(candidate);
  }
}

const RETRY_MS = 2_000;

/**
 * Media of a room for two: straight from one browser to the other.
 *
 * Shows the other person in the first slot of `shown`, as if the server had put them there.
 */
export class Mesh {
  private me: ParticipantId = "";
  private other: Participant | null = null;
  private link: Link | null = null;
  private configuration: RTCConfiguration = {};
  private readonly tracks: Record<"audio" | "video", MediaStreamTrack | null> = { audio: null, video: null };
  private words: Promise<void> = Promise.resolve();

  constructor(
    private readonly ports: MeshPorts,
    private readonly shown: Pick<Media, "state" | "slots">,
  ) {}

  /**
   * Connects with whoever else is here; null: nobody is, any more. `welcomed`: the link to the server was away, and
   * what was said meanwhile may have reached nobody.
   */
  meet(me: ParticipantId, other: Participant | null, welcomed = false): void {
    const unheard = welcomed && this.shown.state.get() === "connecting";
    const same = this.me === me && this.other?.id === other?.id && !unheard;
    this.me = me;
    this.other = other;
    if (!other) this.close();
    else if (same && this.link) this.show();
    else this.begin();
  }

  /** As `Media.configure`; with `relayOnly` neither learns where the other is. */
  configure(servers: readonly IceServer[], relayOnly?: boolean): void {
    this.configuration = reachOf(servers, relayOnly, this.configuration);
    this.link?.peer.setConfiguration({ ...this.link.peer.getConfiguration(), ...this.configuration });
  }

  /** One word of the other person, after those before it. */
  said(said: PeerSaid): Promise<void> {
    this.words = this.words.then(() => this.take(said)).catch(() => this.failed(this.link));
    return this.words;
  }

  networkChanged(): void {
    this.link?.recovery?.networkChanged();
  }

  resumed(): void {
    this.link?.recovery?.resumed();
  }

  async publish(kind: "audio" | "video", track: MediaStreamTrack | null): Promise<void> {
    this.tracks[kind] = track;
    await this.link?.lines?.[kind].sender.replaceTrack(track);
  }

  statistics(): Promise<readonly StatsRow[]> | null {
    if (!this.link || this.shown.state.get() !== "connected") return null;
    return this.link.peer
      .getStats()
      .then((report) => [...(report as unknown as ReadonlyMap<string, StatsRow>).values()]);
  }

  close(): void {
    this.drop();
    this.shown.slots.set([]);
    this.shown.state.set("idle");
  }

  private async take(said: PeerSaid): Promise<void> {
    if (said.sender !== this.other?.id) return;
    if (!said.other && this.link?.theirs && said.connection !== this.link.theirs) this.begin(false);
    const { link } = this;
    if (!link || (said.other && said.other !== link.name)) return;
    if (!link.theirs) link.bind(said.connection);
    if (said.connection === link.theirs) await link.hear(said);
  }

  /** `greet` false: the other has spoken already. */
  private begin(greet = true): void {
    const { other } = this;
    if (!other) return;
    this.drop();
    const polite = this.me > other.id;
    const peer = this.ports.createPeer({ ...this.configuration, bundlePolicy: "max-bundle" });
    if (!peer) {
      this.shown.state.set("impossible");
      return;
    }
    const name = this.ports.newName();
    const say = (word: Word): void => {
      const unsaid = { description: null, candidate: null };
      this.ports.signal({ type: "peer_signal", to: other.id, connection: name, other: link.theirs, ...unsaid, ...word });
    };
    const link = new Link(peer, name, polite, this.ports, say, () => this.opened());
    this.link = link;
    this.shown.state.set("connecting");
    link.recovery = new Recovery({
      restart: () => {
        peer.restartIce();
        return Promise.resolve(true);
      },
      renew: () => this.begin(),
      interrupted: () => this.shown.state.set("restoring"),
      later: this.ports.later,
    });
    peer.addEventListener("connectionstatechange", () => this.stateChanged(link));
    this.shown.slots.set([]);
    this.opened();
    if (greet && polite) say({});
  }

  /** Its lines are there: speak, and show what comes. */
  private opened(): void {
    const lines = this.link?.lines;
    void lines?.audio.sender.replaceTrack(this.tracks.audio);
    void lines?.video.sender.replaceTrack(this.tracks.video);
    this.show();
  }

  private show(): void {
    const { other } = this;
    const lines = this.link?.lines;
    if (!lines || !other) return;
    this.shown.slots.update(([before]) => [
      {
        index: 0,
        source: other.id,
        audio: other.microphone && !other.hard_muted,
        video: other.camera,
        paused: null,
        changedMs: before?.changedMs ?? this.ports.now(),
        clearedMs: before?.clearedMs ?? this.ports.now(),
        audioTrack: lines.audio.receiver.track,
        videoTrack: lines.video.receiver.track,
      },
    ]);
  }

  private stateChanged(link: Link): void {
    if (link !== this.link) return;
    const { connectionState } = link.peer;
    const ours = link.recovery?.became(connectionState) ?? false;
    if (connectionState === "connected") this.shown.state.set("connected");
    if (connectionState === "failed" && !ours) this.failed(link);
  }

  private failed(link: Link | null): void {
    if (!link || link !== this.link) return;
    this.shown.state.set("failed");
    this.ports.later(() => {
      if (link === this.link && this.shown.state.get() === "failed") this.begin();
    }, RETRY_MS);
  }

  private drop(): void {
    this.link?.recovery?.stop();
    this.link?.peer.close();
    this.link = null;
  }
}
