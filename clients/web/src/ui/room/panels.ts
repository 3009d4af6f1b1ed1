// SPDX-License-Identifier: Apache-2.0
import type { Placement } from "../../protocol/messages.ts";

export type PanelName = "chat" | "people" | "agenda" | "board";

/** A message that is being written, and where the person was when they began; null: not begun. */
export interface Draft {
  text: string;
  meantFor: Placement | null;
}
