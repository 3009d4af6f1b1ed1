// SPDX-License-Identifier: Apache-2.0
import type { ConnectionQuality, QualityReason } from "../protocol/messages.ts";

/** What to tell a person of their own connection. `device`: not the network is short, but the processor. */
export interface Trouble {
  readonly level: "weak" | "poor";
  readonly direction: "up" | "down";
  readonly reason: QualityReason | "device";
}

const RANK = { good: 0, weak: 1, poor: 2 } as const;

/** Null: nothing to tell. The server's word on the network goes before what the page knows of the device. */
export function troubleOf(quality: ConnectionQuality | null, overworked: boolean): Trouble | null {
  const { up, down, reason } = quality ?? { up: "good", down: "good", reason: null };
  const direction = RANK[up] > RANK[down] ? "up" : "down";
  const level = direction === "up" ? up : down;
  if (level !== "good") return { level, direction, reason: reason ?? "bandwidth" };
  return overworked ? { level: "weak", direction: "up", reason: "device" } : null;
}

/** The message that says it. */
export function textOf({ direction, reason }: Trouble): string {
  return reason === "device" ? "trouble-device" : `trouble-${direction}-${reason}`;
}
