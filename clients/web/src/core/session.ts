// SPDX-License-Identifier: Apache-2.0
import {
  type Acknowledgement,
  type ClientCommand,
  type Connect,
  type ConnectionQuality,
  type Event,
  LOBBY,
  type Notice,
  type Participant,
  type ParticipantId,
  type Placement,
  PROTOCOL_VERSION,
  type RoomInfo,
  type RoomMessage,
  type Ticket,
} from "../protocol/messages.ts";
import { LogClock } from "./clock.ts";
import { Connection, type ConnectionPorts, type Ending } from "./connection.ts";
import type { Devices } from "./devices.ts";
import type { Media, MediaPorts } from "./media.ts";
import type { Mesh, MeshPorts } from "./mesh.ts";
import type { Mirror } from "./mirror.ts";
import { arrival, narrate, type Line } from "./narrator.ts";
import { PlaybackReporter } from "./playback.ts";
import { Publisher } from "./publisher.ts";
import { offersBy, Seat } from "./seat.ts";
import { companyOf } from "./select.ts";
import { RecentSpeakers } from "./speakers.ts";
import type { ShownReaction, Stage } from "./stage.ts";
import { type Readable, Store } from "./store.ts";
import { claimed, type SeatMemory, TicketRefused, tokenOf, withoutSeat } from "./tickets.ts";
import { Together } from "./together.ts";
import { type Trouble, troubleOf } from "./trouble.ts";
import { Watcher } from "./watcher.ts";

export interface SessionPorts extends ConnectionPorts {
  readonly fetchTicket: (token: string) => Promise<Ticket>;
  readonly memory: SeatMemory;
  readonly devices: Devices;
  readonly createMedia: (sendOffer: MediaPorts["sendOffer"]) => Media;
  readonly createMesh: (signal: MeshPorts["signal"], shown: Pick<Media, "state" | "slots">) => Mesh;
  /** Something that a person who does not see the screen must hear. */
  readonly narrate: (line: Line) => void;
  /** A command of this person was refused. */
  readonly refused: (reason: string) => void;
  /** A command of this person is in force, but no second copy of it is confirmed. */
  readonly unsafe: () => void;
}

const REACTION_MS = 5_000;
const VOICE_MS = 700;
const GOODBYE_MS = 2_000;
const VANISH_MS = 300;
const AUDIBLE_LEVEL = 55;
/** Two: for a signing person and their interpreter. */
const MAX_PINS = 2;

/** Everything between the page and the server, without a page: one person's way through one session. */
export class Session {
  readonly stage = new Store<Stage>({ kind: "opening" });
  /** What the link's ticket said; kept when the seat is given up or the connection lost. */
  readonly info = new Store<RoomInfo | null>(null);
  readonly mirror: Readable<Mirror | null>;
  readonly voices = new Store<ReadonlySet<ParticipantId>>(new Set());
  /** Who spoke lately, the last of them first. */
  readonly recent = new Store<readonly ParticipantId[]>([]);
  /** Whom this person wants to see large, always. Nobody else learns of it. */
  readonly pins = new Store<readonly ParticipantId[]>([]);
  readonly reactions = new Store<readonly ShownReaction[]>([]);
  /** What is the matter with the person's own connection; null: it is good. */
  readonly trouble = new Store<Trouble | null>(null);
  /** The servers cannot reach their log: nothing in the room can change for now, sound and video go on. */
  readonly readOnly: Readable<boolean>;
  readonly clock: LogClock;
  readonly connection: Connection;
  /** What is received, and how it does, whichever way it comes. */
  readonly media: Media;
  readonly watcher: Watcher;
  private readonly seat: Seat;
  private readonly speakers = new RecentSpeakers();
  private readonly together: Together;
  private readonly playback: PlaybackReporter;
  private readonly publisher: Publisher;
  private readonly mesh: Mesh;
  private quality: ConnectionQuality | null = null;
  private overworked = false;
  private reactionCount = 0;
  private lastVoices = 0;

  constructor(private readonly ports: SessionPorts) {
    this.clock = new LogClock(ports.now);
    this.connection = new Connection(ports, {
      auth: () => this.auth(),
      message: (message) => this.received(message),
      notice: (notice) => this.noticed(notice),
      ended: (ending) => this.ended(ending),
    });
    const command = (wish: ClientCommand): Promise<Acknowledgement> => this.connection.command(wish);
    this.media = ports.createMedia(offersBy(command));
    this.seat = new Seat(command, this.media);
    this.mirror = this.seat.mirror;
    this.readOnly = this.seat.readOnly;
    const sources = (): readonly ParticipantId[] | null => (this.way === this.media ? this.media.sources() : null);
    this.together = new Together({ mirror: this.mirror, sources, take: (message) => this.take(message), later: ports.later });
    this.mesh = ports.createMesh((signal) => void this.connection.command(signal), this.media);
    this.watcher = new Watcher({
      now: ports.now,
      later: ports.later,
      send: (watch) => void this.connection.command(watch),
    });
    this.playback = new PlaybackReporter({
      statistics: () => this.way.statistics(),
      send: (playback) => void this.connection.command(playback),
      overworked: (is) => this.judge(this.quality, is),
      later: ports.later,
    });
    this.publisher = new Publisher({
      devices: ports.devices,
      media: { publish: (kind, track) => this.way.publish(kind, track) },
      command: (command) => this.connection.command(command),
      refused: (_, reason) => ports.refused(reason),
    });
  }

  /** Through the server, or straight to the other person of a room for two. */
  private get way(): Media | Mesh {
    const mode = this.mirror.get()?.view.settings.media_mode ?? "sfu";
    return mode === "sfu" ? this.media : this.mesh;
  }

  get devices(): Devices {
    return this.ports.devices;
  }

  /** Opens the link in `fragment`, or what this tab remembers: whoever has joined goes straight back, else to pre-join. */
  async start(fragment: string): Promise<void> {
    const token = tokenOf(fragment);
    const remembered = this.ports.memory.read();
    if (token && token !== remembered?.token) this.ports.memory.write({ token });
    const memory = this.ports.memory.read();
    if (!memory) return this.finish("no_link");
    // Also without a Welcome: a link for everybody would be swapped for another person, and the first one left as a ghost.
    if (memory.ticket) {
      this.info.set(memory.ticket.room);
      return this.enter();
    }
    await this.prepare(memory.token);
  }

  /** The person pressed Join, having accepted the agreement that the ticket shows. */
  join(name: string): void {
    const memory = this.ports.memory.read();
    const stage = this.stage.get();
    if (!memory || stage.kind !== "pre_join") return;
    this.ports.memory.write({ token: memory.token, name, ...claimed(stage.ticket, this.ports.newId) });
    this.enter();
  }

  decline(): void {
    this.finish("declined");
  }

  /** Gives the seat up; afterwards `rejoin` begins anew. Waits for the network only in what it returns. */
  leave(): Promise<Acknowledgement> {
    const goodbye = this.connection.command({ type: "leave" });
    this.finish("left", () => {
      const close = (): void => {
        if (this.stage.get().kind === "over") this.connection.close();
      };
      void goodbye.then(close);
      this.ports.later(close, GOODBYE_MS);
    });
    return goodbye;
  }

  /** Gives everything up, and leaves nothing of the session in this tab. Resolves when the page may go, very soon. */
  async vanish(): Promise<void> {
    const goodbye = this.stage.get().kind === "inside" ? this.leave() : this.finish("left");
    this.ports.memory.forget();
    await Promise.race([goodbye, new Promise<void>((done) => this.ports.later(done, VANISH_MS))]);
  }

  async rejoin(): Promise<void> {
    const memory = this.ports.memory.read();
    if (!memory) return this.finish("no_link");
    this.ports.memory.write(withoutSeat(memory));
    await this.prepare(memory.token);
  }

  /** Resolves to whether it was done; a refusal has been reported by then. */
  async run(command: ClientCommand): Promise<boolean> {
    const answer = await this.ask(command);
    if (answer.type === "reject") this.ports.refused(answer.reason);
    return answer.type === "ok";
  }

  /** As `run`, for callers that put a refusal into words of their own. */
  async ask(command: ClientCommand, meant?: () => boolean): Promise<Acknowledgement> {
    const answer = await this.connection.command(command, meant);
    if (answer.type === "ok" && !answer.safe) this.ports.unsafe();
    return answer;
  }

  /** To the people of `placement` and to nobody else: whoever has been moved meanwhile is asked first. */
  async say(text: string, placement: Placement): Promise<"said" | "moved" | "refused"> {
    const answer = await this.ask({ type: "send_chat", text }, () => this.self()?.placement === placement);
    if (answer.type === "ok") return "said";
    if (answer.reason === "not_here") return "moved";
    this.ports.refused(answer.reason);
    return "refused";
  }

  /** The browser says that it is on another network, or online again: neither link waits any longer. */
  networkChanged(): void {
    this.connection.retryNow();
    this.way.networkChanged();
  }

  /** The page was out of sight or asleep. */
  resumed(): void {
    this.connection.retryNow();
    this.way.resumed();
  }

  /** A third pin takes the place of the oldest. */
  pin(id: ParticipantId, on: boolean): void {
    this.pins.update((all) => [...all.filter((other) => other !== id), ...(on ? [id] : [])].slice(-MAX_PINS));
  }

  self(): Participant | undefined {
    const mirror = this.mirror.get();
    return mirror?.view.participants[mirror.me];
  }

  private async prepare(token: string): Promise<void> {
    this.stage.set({ kind: "opening" });
    try {
      const ticket = await this.ports.fetchTicket(token);
      this.info.set(ticket.room);
      this.stage.set({ kind: "pre_join", ticket, name: this.ports.memory.read()?.name ?? ticket.name });
    } catch (error) {
      if (!(error instanceof TicketRefused)) throw error;
      this.finish(error.reason);
    }
  }

  private enter(): void {
    this.stage.set({ kind: "inside" });
    this.playback.start();
    this.connection.open();
  }

  private auth(): Connect {
    const memory = this.ports.memory.read();
    const mirror = this.mirror.get();
    const { secret, ticket, name, claim } = memory ?? {};
    return {
      token: ticket?.ticket ?? "",
      protocol: PROTOCOL_VERSION,
      ...(name ? { name } : {}),
      ...(claim ? { claim } : {}),
      agreement: ticket?.room.agreement.version ?? 0,
      microphone: this.devices.microphone.get().state === "on",
      camera: this.devices.camera.get().state === "on",
      // After a reload there is nothing to add a tail to: position 0 asks for a snapshot.
      resume: secret ? { epoch: mirror?.epoch ?? 0, seq: mirror?.seq ?? 0, secret } : null,
    };
  }

  private received(message: RoomMessage): void {
    if (this.stage.get().kind !== "inside") return;
    this.clock.observe(message.now_ms);
    this.together.received(message);
  }

  private take(message: RoomMessage): void {
    if (message.type === "welcome") this.remember(message.secret);
    const taken = this.seat.take(message);
    if (!taken) return;
    const { before, mirror, events } = taken;
    const lines = before ? narrate(before.view, mirror.view, events, mirror.me) : arrival(mirror.view, mirror.me);
    for (const line of lines) this.ports.narrate(line);
    for (const event of events) this.react(event);
    if (message.type === "welcome") {
      const hidden = message.relay_only || mirror.view.settings.media_mode === "mesh_relay";
      this.mesh.configure(message.ice_servers, hidden);
      this.watcher.again();
    }
    this.follow(mirror, message.type === "welcome");
  }

  private remember(secret: string): void {
    const memory = this.ports.memory.read();
    if (memory) this.ports.memory.write({ ...memory, secret });
  }

  /** Sound and video follow the seat: none in the lobby, one connection everywhere else. */
  private follow({ view, me }: Mirror, welcomed: boolean): void {
    const self = view.participants[me];
    const inside = self !== undefined && self.placement !== LOBBY;
    this.publisher.recorded(inside ? self : undefined);
    if (!inside) return;
    if (this.way === this.mesh) return this.mesh.meet(self.id, companyOf(view, me)[0] ?? null, welcomed);
    this.seat.connect(welcomed);
  }

  private noticed(notice: Notice): void {
    this.seat.noticed(notice);
    switch (notice.type) {
      case "media_answer":
        this.judge(null, this.overworked);
        this.watcher.again();
        break;
      case "peer_said":
        void this.mesh.said(notice);
        break;
      case "quality":
        this.judge(notice, this.overworked);
        break;
      case "ice_servers":
        this.mesh.configure(notice.ice_servers);
        break;
      case "slots":
        this.together.release();
        break;
      case "voices":
        this.heard(notice.levels.filter((item) => item.level < AUDIBLE_LEVEL).map((item) => item.participant));
        break;
      case "media_lost":
      case "read_only":
      case "servers":
      case "disconnecting":
        break;
    }
  }

  private judge(quality: ConnectionQuality | null, overworked: boolean): void {
    this.quality = quality;
    this.overworked = overworked;
    this.trouble.set(troubleOf(quality, overworked));
  }

  private heard(ids: readonly ParticipantId[]): void {
    const count = ++this.lastVoices;
    this.voices.set(new Set(ids));
    this.recent.set(this.speakers.heard(ids, this.ports.now()));
    this.ports.later(() => {
      if (count === this.lastVoices && ids.length > 0) this.voices.set(new Set());
    }, VOICE_MS);
  }

  private react(event: Event): void {
    if (event.type !== "reacted") return;
    const shown = { key: ++this.reactionCount, participant: event.participant, reaction: event.reaction };
    this.reactions.update((all) => [...all, shown]);
    this.ports.later(() => this.reactions.update((all) => all.filter((item) => item !== shown)), REACTION_MS);
  }

  private ended(ending: Ending): void {
    if (this.stage.get().kind !== "inside") return;
    const memory = this.ports.memory.read();
    if (ending.reason === "resume_invalid" && memory) {
      this.stop(() => this.connection.close());
      void this.rejoin();
      return;
    }
    this.finish(ending.reason);
  }

  private finish(reason: string, hangUp = (): void => this.connection.close()): void {
    this.stop(hangUp);
    const memory = this.ports.memory.read();
    if (memory) this.ports.memory.write(withoutSeat(memory));
    this.stage.set({ kind: "over", reason });
  }

  private stop(hangUp: () => void): void {
    hangUp();
    this.publisher.recorded(undefined);
    this.media.close();
    this.mesh.close();
    this.devices.turnOff("microphone");
    this.devices.turnOff("camera");
    this.together.forget();
    this.seat.forget();
    this.voices.set(new Set());
    this.playback.stop();
    this.judge(null, false);
    this.speakers.forget();
    this.recent.set([]);
    this.pins.set([]);
  }
}
