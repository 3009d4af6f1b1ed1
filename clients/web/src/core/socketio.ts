// SPDX-License-Identifier: Apache-2.0
import { io, type Socket } from "socket.io-client";
import * as parser from "socket.io-msgpack-parser";
import type { WireFactory } from "./wire.ts";

/** Socket.IO over WebSocket with MessagePack frames. Reconnecting is the business of `Connection` alone. */
export function socketIoWire(home: string): WireFactory {
  return (handlers, address) => {
    const socket: Socket = io(address ?? home, {
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
