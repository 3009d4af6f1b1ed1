// SPDX-License-Identifier: Apache-2.0
import type { DevicePorts } from "../src/core/devices.ts";
import type { StatsRow } from "../src/core/playback.ts";
import type { Wire, WireFactory, WireHandlers } from "../src/core/wire.ts";
import type { Acknowledgement, CommandFrame, Welcome } from "../src/protocol/messages.ts";
import { room } from "../src/fixtures/views.ts";

/** A server at the other end of a wire: the test decides what it says and when. */
export class ScriptedServer {
  handlers: WireHandlers | null = null;
  dials = 0;
  readonly addresses: (string | null)[] = [];
  closes = 0;
  /** Thrown in place of sending, as by an encoder. */
  refuseToSend: Error | null = null;
  readonly received: { frame: CommandFrame; acknowledge: (answer: Acknowledgement) => void }[] = [];

  readonly wire: WireFactory = (handlers, address): Wire => {
    this.dials++;
    this.addresses.push(address);
    this.handlers = handlers;
    return {
      open: () => undefined,
      close: () => void this.closes++,
      send: (frame, acknowledge) => {
        if (this.refuseToSend) throw this.refuseToSend;
        this.received.push({ frame, acknowledge });
      },
    };
  };

  welcome(change: Partial<Welcome> = {}): void {
    this.handlers?.message({
      type: "welcome",
      participant: "p1",
      room: "r1",
      epoch: 7,
      seq: 10,
      secret: `secret-${this.dials}`,
      now_ms: 0,
      view: room(),
      tail: null,
      ice_servers: [],
      relay_only: false,
      others: [],
      ...change,
    });
  }

  breakWire(): void {
    this.handlers?.closed();
  }

  /** Acknowledges everything that waits, and forgets it. */
  acknowledge(answer: Acknowledgement = { type: "ok", seq: 11, safe: true }): void {
    for (const item of this.received.splice(0)) item.acknowledge(answer);
  }

  get commands(): string[] {
    return this.received.map((item) => item.frame.command.type);
  }
}

export class FakeTrack extends EventTarget {
  stopped = false;
  constructor(
    readonly kind: string,
    readonly settings: MediaTrackSettings = {},
  ) {
    super();
  }
  getSettings(): MediaTrackSettings {
    return this.settings;
  }
  stop(): void {
    this.stopped = true;
  }
}

/** Devices of a browser that always gives them; `asked` tells what was asked for. */
export function givingDevices(): { ports: DevicePorts; asked: MediaStreamConstraints[]; tracks: FakeTrack[] } {
  const asked: MediaStreamConstraints[] = [];
  const tracks: FakeTrack[] = [];
  const getUserMedia = (constraints: MediaStreamConstraints): Promise<MediaStream> => {
    asked.push(constraints);
    const track = new FakeTrack(constraints.audio ? "audio" : "video");
    tracks.push(track);
    return Promise.resolve({ getTracks: () => [track] } as unknown as MediaStream);
  };
  return { ports: { getUserMedia, enumerateDevices: null, capture: { height: { ideal: 360 } } }, asked, tracks };
}

export class FakeSender {
  track: unknown = null;
  readonly replaced: unknown[] = [];
  parameters: { encodings: RTCRtpEncodingParameters[]; degradationPreference?: string };
  constructor(encodings: readonly RTCRtpEncodingParameters[] = [{}]) {
    this.parameters = { encodings: encodings.map((encoding) => ({ ...encoding })) };
  }
  getParameters(): unknown {
    return structuredClone(this.parameters);
  }
  setParameters(parameters: FakeSender["parameters"]): Promise<void> {
    if (parameters.encodings.length !== this.parameters.encodings.length) return Promise.reject(new TypeError("encodings"));
    this.parameters = parameters;
    return Promise.resolve();
  }
  closed = false;
  replaceTrack(track: unknown): Promise<void> {
    if (this.closed) return Promise.reject(new DOMException("The peer connection is closed.", "InvalidStateError"));
    this.track = track;
    this.replaced.push(track);
    return Promise.resolve();
  }
}

export interface FakeLine {
  readonly kind: string;
  readonly direction: string | undefined;
  readonly sender: FakeSender;
  readonly receiver: { readonly track: { readonly id: string }; jitterBufferTarget?: number | null };
  codecs: string[];
}

/** An RTCPeerConnection that negotiates with nobody. */
export class FakePeer extends EventTarget {
  readonly lines: FakeLine[] = [];
  connectionState: RTCPeerConnectionState = "new";
  signalingState: RTCSignalingState = "stable";
  localDescription: RTCSessionDescriptionInit | null = null;
  offers = 0;
  iceRestarts = 0;
  answers: string[] = [];
  closed = false;
  /** Whether its receivers can be told how long to keep what comes. */
  patient = false;

  addTransceiver(kind: string, init: RTCRtpTransceiverInit): unknown {
    const receiver = { track: { id: `${kind}-${this.lines.length + 1}` }, ...(this.patient ? { jitterBufferTarget: null } : {}) };
    const line: FakeLine = { kind, direction: init.direction, sender: new FakeSender(init.sendEncodings), receiver, codecs: [] };
    this.lines.push(line);
    return {
      sender: line.sender,
      receiver,
      setCodecPreferences: (codecs: RTCRtpCodec[]) => void (line.codecs = codecs.map((codec) => codec.mimeType)),
    };
  }
  createOffer(): Promise<RTCSessionDescriptionInit> {
    this.offers++;
    return Promise.resolve({ type: "offer", sdp: `offer ${this.offers}` });
  }
  setLocalDescription(description: RTCSessionDescriptionInit): Promise<void> {
    this.localDescription = description;
    this.signalingState = "have-local-offer";
    return Promise.resolve();
  }
  setRemoteDescription(description: RTCSessionDescriptionInit): Promise<void> {
    this.answers.push(description.sdp ?? "");
    this.signalingState = "stable";
    return Promise.resolve();
  }
  statistics: StatsRow[] = [];
  getStats(): Promise<Map<string, StatsRow>> {
    return Promise.resolve(new Map(this.statistics.map((row, index) => [String(index), row])));
  }
  configuration: RTCConfiguration = {};
  getConfiguration(): RTCConfiguration {
    return this.configuration;
  }
  setConfiguration(configuration: RTCConfiguration): void {
    this.configuration = configuration;
  }
  restartIce(): void {
    this.iceRestarts++;
  }
  become(state: RTCPeerConnectionState): void {
    this.connectionState = state;
    this.dispatchEvent(new Event("connectionstatechange"));
  }
  close(): void {
    this.closed = true;
    for (const line of this.lines) line.sender.closed = true;
  }
}
