// SPDX-License-Identifier: Apache-2.0
import {
  type Acknowledgement,
  type ClientCommand,
  type Connect,
  type Event,
  LOBBY,
  type Notice,
  type Participant,
  PROTOCOL_VERSION,
  type RoomMessage,
} from "../protocol/messages.ts";
import { Connection, type Ending } from "./connection.ts";
import type { Media, MediaPorts } from "./media.ts";
import { applyMessage, type Mirror } from "./mirror.ts";
import { PatientPolicy } from "./reconnect.ts";
import { later, newId, now } from "./runtime.ts";
import { Store } from "./store.ts";
import type { WireFactory } from "./wire.ts";

export interface RoomOptions {
  /** How to reach the server, such as `socketIoWire("https://groups.example.org")`. */
  readonly wire: WireFactory;
  /** Of a link or a ticket. With a link for many, every `Room` is another person. */
  readonly token: string;
  readonly name?: string;
  /** The version of the group agreement that the person has accepted. */
  readonly agreement?: number;
  /** Of the ticket: then its first use may be one whose Welcome is lost on the way. */
  readonly singleUse?: boolean;
  /** Sound and picture, such as `browserMedia`; without it there are none. */
  readonly createMedia?: (sendOffer: MediaPorts["sendOffer"]) => Media;
  /** Each event, after it was folded into the view. */
  readonly event?: (event: Event, mirror: Mirror) => void;
}

/**
 * One person in one room, for programs that are no page of ours: bots, boards, pages of one's own.
 *
 * Takes the seat, follows the room, comes back after every loss until `leave` or until the server says that it is over.
 * It turns no device on: what is sent is what is given to `media.publish`.
 */
export class Room {
  /** Null until the first Welcome. */
  readonly mirror = new Store<Mirror | null>(null);
  /** Nothing in the room can change for now; sound and video go on. */
  readonly readOnly = new Store(false);
  /** Why it is over; null: it is not. */
  readonly ending = new Store<Ending | null>(null);
  readonly connection: Connection;
  readonly media: Media | null;
  private readonly claim = newId() + newId();
  private secret: string | null = null;
  private resyncing = false;

  constructor(private readonly options: RoomOptions) {
    const ports = { wire: options.wire, policy: new PatientPolicy(), now, later, newId };
    this.connection = new Connection(ports, {
      auth: () => this.auth(),
      message: (message) => this.received(message),
      notice: (notice) => this.noticed(notice),
      ended: (ending) => this.over(ending),
    });
    this.media = options.createMedia?.((offer, sdp) => this.sendOffer(offer, sdp)) ?? null;
  }

  /** Resolves when the person is in the room or its lobby; rejects with why they were not let in. */
  join(): Promise<Mirror> {
    return new Promise((resolve, reject) => {
      const done = (settle: () => void): void => {
        settle();
        // A subscriber is called at once, before there is something to stop.
        queueMicrotask(() => stops.forEach((stop) => stop()));
      };
      const stops = [
        this.mirror.subscribe((mirror) => mirror && done(() => resolve(mirror))),
        this.ending.subscribe((ending) => ending && done(() => reject(new Error(ending.reason)))),
      ];
      this.connection.open();
    });
  }

  get self(): Participant | undefined {
    const mirror = this.mirror.get();
    return mirror?.view.participants[mirror.me];
  }

  /** Sent again after a lost connection until it is answered, with one effect; at most for half a minute. */
  command(command: ClientCommand): Promise<Acknowledgement> {
    return this.connection.command(command);
  }

  /** Gives the seat up. */
  async leave(): Promise<void> {
    await this.command({ type: "leave" });
    this.over({ code: 3514, reason: "left" });
  }

  private auth(): Connect {
    const { token, name, agreement, singleUse } = this.options;
    const mirror = this.mirror.get();
    const sending = this.media !== null && this.media.state.get() !== "idle";
    return {
      token,
      protocol: PROTOCOL_VERSION,
      ...(name ? { name } : {}),
      ...(singleUse ? { claim: this.claim } : {}),
      agreement: agreement ?? 0,
      microphone: sending && (this.self?.microphone ?? false),
      camera: sending && (this.self?.camera ?? false),
      resume: this.secret && mirror ? { epoch: mirror.epoch, seq: mirror.seq, secret: this.secret } : null,
    };
  }

  private received(message: RoomMessage): void {
    if (message.type === "welcome") {
      this.secret = message.secret;
      this.readOnly.set(false);
      this.media?.configure(message.ice_servers, message.relay_only);
    }
    const { mirror, events, gap } = applyMessage(this.mirror.get(), message);
    if (gap) void this.resync();
    if (!mirror) return;
    this.mirror.set(mirror);
    for (const event of events) this.options.event?.(event, mirror);
    if (this.self && this.self.placement !== LOBBY) this.follow(message.type === "welcome");
  }

  private follow(welcomed: boolean): void {
    if (welcomed && this.media?.state.get() === "connecting") void this.media.restart();
    else void this.media?.connect();
  }

  private async resync(): Promise<void> {
    if (this.resyncing) return;
    this.resyncing = true;
    await this.command({ type: "resync" });
    this.resyncing = false;
  }

  private async sendOffer(offer: number, sdp: string): Promise<{ taken: boolean; retryMs: number }> {
    const answer = await this.command({ type: "media_offer", offer, sdp });
    return { taken: answer.type === "ok", retryMs: answer.type === "reject" ? (answer.retry_after_ms ?? 0) : 0 };
  }

  private noticed(notice: Notice): void {
    if (notice.type === "read_only") this.readOnly.set(notice.on);
    else if (notice.type === "media_answer") void this.media?.answered(notice);
    else if (notice.type === "media_lost") void this.media?.lost(notice.offer);
    else if (notice.type === "slots") this.media?.assign(notice.slots);
    else if (notice.type === "ice_servers") this.media?.configure(notice.ice_servers);
  }

  private over(ending: Ending): void {
    this.media?.close();
    this.connection.close();
    this.ending.set(ending);
  }
}
