// SPDX-License-Identifier: Apache-2.0
import { io, type Socket } from "socket.io-client";
import * as parser from "socket.io-msgpack-parser";
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

export type WireFactory = (handlers: WireHandlers) => Wire;

/** Socket.IO over WebSocket with MessagePack frames. Reconnecting is the business of `Connection` alone. */
export function socketIoWire(url: string): WireFactory {
  return (handlers) => {
    const socket: Socket = io(url, {
      path: "/socket.io/",
      transports: ["websocket"],
      parser,
      reconnection: false,
      autoConnect: false,
      forceNew: true,
      auth: (give: (payload: object) => void) => give(handlers.auth()),
    });
    socket.on("event", handlers.message);
    socket.on("notice", handlers.notice);
    socket.on("disconnect", handlers.closed);
    socket.on("connect_error", (error: Error & { data?: unknown }) => handlers.refused(error.data));
    return {
      open: () => void socket.connect(),
      close: () => void socket.disconnect(),
      send: (frame, acknowledged) => void socket.emit("command", frame, acknowledged),
    };
  };
}
