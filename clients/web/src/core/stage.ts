// SPDX-License-Identifier: Apache-2.0
import type { ParticipantId, Reaction, Ticket } from "../protocol/messages.ts";

/** Where the person is on their way through the page. `over.reason` is a stable word of the server, or our own. */
export type Stage =
  | { readonly kind: "opening" }
  | { readonly kind: "pre_join"; readonly ticket: Ticket; readonly name: string }
  | { readonly kind: "inside" }
  | { readonly kind: "over"; readonly reason: string };

export interface ShownReaction {
  readonly key: number;
  readonly participant: ParticipantId;
  readonly reaction: Reaction;
}
