// SPDX-License-Identifier: Apache-2.0
// What @holdspace/client gives to others; the page imports the files themselves.
export * from "../protocol/messages.ts";
export { browserMedia } from "./browser.ts";
export { LogClock, timeLeft } from "./clock.ts";
export { Connection, type ConnectionPorts, type Ending, type LinkState } from "./connection.ts";
export { browserDevices, type DeviceKind, Devices } from "./devices.ts";
export { evolve } from "./fold.ts";
export { Media, type MediaPorts, type MediaState, type ReceiveSlot, slotOf } from "./media.ts";
export { applyMessage, type Mirror } from "./mirror.ts";
export { PatientPolicy, type ReconnectPolicy } from "./reconnect.ts";
export { JoinRefused, Room, type RoomOptions } from "./room.ts";
export * from "./select.ts";
export { socketIoWire } from "./socketio.ts";
export { type Readable, Store } from "./store.ts";
export { fetchTicket, TicketRefused, tokenOf } from "./tickets.ts";
export type { Wire, WireFactory, WireHandlers } from "./wire.ts";
