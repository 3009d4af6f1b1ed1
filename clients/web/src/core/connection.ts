// SPDX-License-Identifier: Apache-2.0
import {
  type Acknowledgement,
  type ClientCommand,
  type Connect,
  type ConnectRefused,
  type Disconnecting,
  FIRST_FINAL_DISCONNECT,
  MAX_OFFER_BYTES,
  type Notice,
  RejectCode,
  type RoomMessage,
} from "../protocol/messages.ts";
import type { ReconnectPolicy } from "./reconnect.ts";
import { Store } from "./store.ts";
import type { Wire, WireFactory } from "./wire.ts";

/** `stalled`: the policy has given up, the person decides. `closed`: for good. */
export type LinkState = "connecting" | "connected" | "reconnecting" | "stalled" | "closed";

/**
 * Why the server ended or refused the connection for good; `reason` is the stable word of its code. `detail`: what the
 * author of the program has to correct, if there is something.
 */
export interface Ending {
  readonly code: number;
  readonly reason: string;
  readonly detail?: string;
}

export interface ConnectionPorts {
  readonly wire: WireFactory;
  readonly policy: ReconnectPolicy;
  readonly now: () => number;
  /** What is returned stops it; a clock that cannot do that may return nothing. */
  readonly later: (run: () => void, ms: number) => void | (() => void);
  readonly newId: () => string;
}

export interface ConnectionHandlers {
  readonly auth: () => Connect;
  readonly message: (message: RoomMessage) => void;
  readonly notice: (notice: Notice) => void;
  readonly ended: (ending: Ending) => void;
}

interface Waiting {
  readonly id: string;
  readonly command: ClientCommand;
  readonly expiresMs: number;
  readonly meant: () => boolean;
  readonly settle: (answer: Acknowledgement) => void;
}

const COMMAND_LIFE_MS = 30_000;
/** More ends the connection, and would end each one after it. */
const MAX_SENT_BYTES = 2 * MAX_OFFER_BYTES;

const NO_ANSWER: Acknowledgement = {
  type: "reject",
  code: 1003,
  reason: "busy",
  message: "no answer",
  retry_after_ms: null,
  detail: "",
};

const TOO_LARGE: Acknowledgement = { ...NO_ANSWER, code: RejectCode.TOO_LARGE, reason: "too_large", message: "" };
const NOT_MEANT: Acknowledgement = { ...NO_ANSWER, code: RejectCode.NOT_HERE, reason: "not_here", message: "" };

/**
 * One seat's link to the room, over as many sockets as it takes.
 *
 * A command that was not acknowledged when the socket broke is sent again with the same id after the next Welcome;
 * the server knows the id and lets it have one effect only.
 */
export class Connection {
  readonly state = new Store<LinkState>("connecting");
  private readonly waiting = new Map<string, Waiting>();
  private wire: Wire | null = null;
  private announced: Disconnecting | null = null;
  /** Where the room can be reached, the present one first; null: where the page came from. */
  private places: readonly (string | null)[] = [null];
  private attempt = 0;
  private lostMs = 0;
  private round = 0;

  constructor(
    private readonly ports: ConnectionPorts,
    private readonly handlers: ConnectionHandlers,
  ) {}

  open(): void {
    this.state.set("connecting");
    this.attempt = 0;
    this.lostMs = this.ports.now();
    this.dial();
  }

  /** The person pressed "Try again", or the browser says that it is online: do not wait any longer. */
  retryNow(): void {
    if (this.state.get() !== "reconnecting" && this.state.get() !== "stalled") return;
    this.attempt = 0;
    this.lostMs = this.ports.now();
    this.state.set("reconnecting");
    this.dial();
  }

  close(): void {
    this.state.set("closed");
    this.drop();
    for (const item of this.waiting.values()) item.settle(NO_ANSWER);
    this.waiting.clear();
  }

  /**
   * `meant`: asked before each sending; once it says no, the command is refused as `not_here`. Rejects what cannot be
   * written down.
   */
  command(command: ClientCommand, meant = (): boolean => true): Promise<Acknowledgement> {
    if (this.state.get() === "closed") return Promise.resolve(NO_ANSWER);
    return new Promise((resolve) => {
      if (new TextEncoder().encode(JSON.stringify(command)).length > MAX_SENT_BYTES) {
        resolve(TOO_LARGE);
        return;
      }
      const id = this.ports.newId();
      const item: Waiting = {
        id,
        command,
        meant,
        expiresMs: this.ports.now() + COMMAND_LIFE_MS,
        settle: (answer) => {
          if (!this.waiting.delete(id)) return;
          forget?.();
          resolve(answer);
        },
      };
      this.waiting.set(id, item);
      const forget = this.ports.later(() => item.settle(NO_ANSWER), COMMAND_LIFE_MS);
      if (this.state.get() === "connected") this.transmit(item);
    });
  }

  private transmit(item: Waiting): void {
    if (!item.meant()) {
      item.settle(NOT_MEANT);
      return;
    }
    try {
      this.wire?.send({ id: item.id, command: item.command }, item.settle);
    } catch (error) {
      this.waiting.delete(item.id);
      throw error;
    }
  }

  private dial(): void {
    this.drop();
    const round = ++this.round;
    const mine = <A extends unknown[]>(run: (...args: A) => void) => (...args: A): void => {
      if (round === this.round && this.state.get() !== "closed") run(...args);
    };
    this.announced = null;
    const handlers = {
      auth: this.handlers.auth,
      message: mine((message: RoomMessage) => this.received(message)),
      notice: mine((notice: Notice) => this.noticed(notice)),
      closed: mine(() => this.lost(this.announced)),
      refused: mine((refusal: unknown) => this.lost(isRefusal(refusal) ? refusal : null)),
    };
    this.wire = this.ports.wire(handlers, this.places[0] ?? null);
    this.wire.open();
  }

  private drop(): void {
    this.round++;
    this.wire?.close();
    this.wire = null;
  }

  private received(message: RoomMessage): void {
    this.handlers.message(message);
    if (message.type !== "welcome") return;
    this.attempt = 0;
    this.places = [this.places[0] ?? null, ...message.others];
    this.state.set("connected");
    const now = this.ports.now();
    for (const item of [...this.waiting.values()]) if (item.expiresMs > now) this.transmit(item);
  }

  private noticed(notice: Notice): void {
    if (notice.type === "disconnecting") this.announced = notice;
    else if (notice.type === "servers") this.places = [this.places[0] ?? null, ...notice.others];
    else this.handlers.notice(notice);
  }

  private lost(why: Disconnecting | ConnectRefused | null): void {
    this.drop();
    if (why && why.code >= FIRST_FINAL_DISCONNECT) {
      this.close();
      this.handlers.ended({ code: why.code, reason: why.reason, ...(why.detail ? { detail: why.detail } : {}) });
      return;
    }
    if (this.state.get() === "connected") this.lostMs = this.ports.now();
    // Whatever has become of this server, the next one knows the seat as well.
    this.places = [...this.places.slice(1), this.places[0] ?? null];
    const delay = this.ports.policy.nextRetryDelayInMs({
      attempt: this.attempt++,
      elapsedMs: this.ports.now() - this.lostMs,
      retryAfterMs: why && "retry_after_ms" in why ? why.retry_after_ms : null,
    });
    this.state.set(delay === null ? "stalled" : "reconnecting");
    if (delay === null) return;
    const round = this.round;
    this.ports.later(() => {
      if (round === this.round && this.state.get() === "reconnecting") this.dial();
    }, delay);
  }
}

function isRefusal(data: unknown): data is ConnectRefused {
  return typeof data === "object" && data !== null && "code" in data && typeof data.code === "number";
}
