// SPDX-License-Identifier: Apache-2.0
import type { Acknowledgement, ClientCommand, Event, Notice, RoomMessage } from "../protocol/messages.ts";
import type { Media, MediaPorts } from "./media.ts";
import { applyMessage, type Mirror } from "./mirror.ts";
import { Store } from "./store.ts";

export type Command = (command: ClientCommand) => Promise<Acknowledgement>;

/** What a message has changed: the room before and after, and what happened in between. */
export interface Taken {
  readonly before: Mirror | null;
  readonly mirror: Mirror;
  readonly events: readonly Event[];
}

/** How media hands its offers to the server. */
export function offersBy(command: Command): MediaPorts["sendOffer"] {
  return async (offer, sdp) => {
    const answer = await command({ type: "media_offer", offer, sdp });
    return { taken: answer.type === "ok", retryMs: answer.type === "reject" ? (answer.retry_after_ms ?? 0) : 0 };
  };
}

/** What every client does with its seat, the page and programs alike: it mirrors the room, and has one media connection. */
export class Seat {
  /** Null until the first Welcome. */
  readonly mirror = new Store<Mirror | null>(null);
  /** The servers cannot reach their log: nothing in the room can change for now, sound and video go on. */
  readonly readOnly = new Store(false);
  private resyncing = false;

  constructor(
    private readonly command: Command,
    private readonly media: Media | null,
  ) {}

  /** Takes in one message; null: it brought nothing new. What is missing before it is asked for. */
  take(message: RoomMessage): Taken | null {
    if (message.type === "welcome") {
      this.readOnly.set(false);
      this.media?.configure(message.ice_servers, message.relay_only);
    }
    const before = this.mirror.get();
    const { mirror, events, gap } = applyMessage(before, message);
    if (gap) void this.resync();
    if (!mirror || mirror === before) return null;
    this.mirror.set(mirror);
    return { before, mirror, events };
  }

  /** What concerns media through the server, and whether anything can change. */
  noticed(notice: Notice): void {
    if (notice.type === "read_only") this.readOnly.set(notice.on);
    else if (notice.type === "media_answer") void this.media?.answered(notice);
    else if (notice.type === "media_lost") void this.media?.lost(notice.offer);
    else if (notice.type === "slots") this.media?.assign(notice.slots);
    else if (notice.type === "ice_servers") this.media?.configure(notice.ice_servers);
  }

  /** One connection for all rooms. An offer that was on its way to the seat before this one (`welcomed`) is lost. */
  connect(welcomed: boolean): void {
    if (welcomed && this.media?.state.get() === "connecting") void this.media.restart();
    else void this.media?.connect();
  }

  forget(): void {
    this.mirror.set(null);
    this.readOnly.set(false);
  }

  private async resync(): Promise<void> {
    if (this.resyncing) return;
    this.resyncing = true;
    await this.command({ type: "resync" });
    this.resyncing = false;
  }
}
