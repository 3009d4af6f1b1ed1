// SPDX-License-Identifier: Apache-2.0
import type { Acknowledgement, CommandFrame, Connect, Notice, RoomMessage } from "../protocol/messages.ts";

/** What `Connection` needs of a transport; tests give a scripted one. */
export interface Wire {
  open(): void;
  close(): void;
  /** Sends one command; the acknowledgement comes at most once, and never when the wire breaks before it. */
  send(frame: CommandFrame, acknowledged: (answer: Acknowledgement) => void): void;
}

export interface WireHandlers {
  /** The auth payload, asked for at each attempt. */
  readonly auth: () => Connect;
  readonly message: (message: RoomMessage) => void;
  readonly notice: (notice: Notice) => void;
  readonly closed: () => void;
  /** `refusal` is what the server said; undefined when it could not be reached. */
  readonly refused: (refusal: unknown) => void;
}

/** `address`: of a server like https://b.example.org; null: the one that the page came from. */
export type WireFactory = (handlers: WireHandlers, address: string | null) => Wire;

/** A wire whose code is fetched when it is first needed; not reachable means the same as a server that is not. */
export function lazyWire(load: () => Promise<WireFactory>): WireFactory {
  return (handlers, address) => {
    let wire: Wire | null = null;
    let closed = false;
    const start = (factory: WireFactory): void => {
      if (closed) return;
      wire = factory(handlers, address);
      wire.open();
    };
    return {
      open: () => void load().then(start, () => handlers.refused(undefined)),
      close: () => {
        closed = true;
        wire?.close();
      },
      send: (frame, acknowledged) => wire?.send(frame, acknowledged),
    };
  };
}
