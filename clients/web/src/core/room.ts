// SPDX-License-Identifier: Apache-2.0
import {
  type Acknowledgement,
  type ClientCommand,
  type Connect,
  type Event,
  LOBBY,
  type Participant,
  PROTOCOL_VERSION,
  type RoomMessage,
} from "../protocol/messages.ts";
import { Connection, type Ending } from "./connection.ts";
import type { Media, MediaPorts } from "./media.ts";
import type { Mirror } from "./mirror.ts";
import { PatientPolicy } from "./reconnect.ts";
import { later, newId, now } from "./runtime.ts";
import { offersBy, Seat } from "./seat.ts";
import { type Readable, Store } from "./store.ts";
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

/** Why somebody is not let in: `ending.reason`, and in `ending.detail` what the author has to correct. */
export class JoinRefused extends Error {
  constructor(readonly ending: Ending) {
    super(ending.detail ? `${ending.reason}: ${ending.detail}` : ending.reason);
  }
}

/**
 * One person in one room, for programs that are no page of ours: bots, boards, pages of one's own.
 *
 * Takes the seat, follows the room, comes back after every loss until `leave` or until the server says that it is over.
 * It turns no device on: what is sent is what is given to `media.publish`.
 */
export class Room {
  /** Null until the first Welcome. */
  readonly mirror: Readable<Mirror | null>;
  /** Nothing in the room can change for now; sound and video go on. */
  readonly readOnly: Readable<boolean>;
  /** Why it is over; null: it is not. */
  readonly ending = new Store<Ending | null>(null);
  readonly connection: Connection;
  readonly media: Media | null;
  private readonly claim = newId() + newId();
  private readonly seat: Seat;
  private secret: string | null = null;

  constructor(private readonly options: RoomOptions) {
    const ports = { wire: options.wire, policy: new PatientPolicy(), now, later, newId };
    this.connection = new Connection(ports, {
      auth: () => this.auth(),
      message: (message) => this.received(message),
      notice: (notice) => this.seat.noticed(notice),
      ended: (ending) => this.over(ending),
    });
    const command = (wish: ClientCommand): Promise<Acknowledgement> => this.connection.command(wish);
    this.media = options.createMedia?.(offersBy(command)) ?? null;
    this.seat = new Seat(command, this.media);
    this.mirror = this.seat.mirror;
    this.readOnly = this.seat.readOnly;
  }

  /** Resolves when the person is in the room or its lobby; rejects with a `JoinRefused`. */
  join(): Promise<Mirror> {
    return new Promise((resolve, reject) => {
      const done = (settle: () => void): void => {
        settle();
        // A subscriber is called at once, before there is something to stop.
        queueMicrotask(() => stops.forEach((stop) => stop()));
      };
      const stops = [
        this.mirror.subscribe((mirror) => mirror && done(() => resolve(mirror))),
        this.ending.subscribe((ending) => ending && done(() => reject(new JoinRefused(ending)))),
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
    const sending = this.media !== null && !["idle", "impossible"].includes(this.media.state.get());
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
    if (message.type === "welcome") this.secret = message.secret;
    const taken = this.seat.take(message);
    if (!taken) return;
    for (const event of taken.events) this.options.event?.(event, taken.mirror);
    if (this.self && this.self.placement !== LOBBY) this.seat.connect(message.type === "welcome");
  }

  private over(ending: Ending): void {
    this.media?.close();
    this.connection.close();
    this.ending.set(ending);
  }
}
