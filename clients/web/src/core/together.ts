// SPDX-License-Identifier: Apache-2.0
import type { ParticipantId, RoomMessage } from "../protocol/messages.ts";
import { applyMessage, type Mirror } from "./mirror.ts";
import { companyOf } from "./select.ts";
import type { Readable } from "./store.ts";

export interface TogetherPorts {
  readonly mirror: Readable<Mirror | null>;
  /** Who is in the receive slots; null: nothing is received, nobody will come. */
  readonly sources: () => readonly ParticipantId[] | null;
  readonly take: (message: RoomMessage) => void;
  readonly later: (run: () => void, ms: number) => void;
}

/** Longer than the slots usually take after the news of a move, shorter than what a person notices. */
const TOGETHER_MS = 40;

/**
 * The news of one's own move and whom the slots carry then come apart, a few milliseconds from one another. Drawn one
 * after the other the page would be busy with tiles without pictures when the pictures come; so they are drawn at once.
 */
export class Together {
  private held: RoomMessage[] | null = null;

  constructor(private readonly ports: TogetherPorts) {}

  /** Takes a message now, or with those that are being held. */
  received(message: RoomMessage): void {
    if (this.held) this.held.push(message);
    else if (this.awaitsSlots(message)) this.hold(message);
    else this.ports.take(message);
  }

  /** The slots have come, or they will not. */
  release(): void {
    const held = this.held ?? [];
    this.held = null;
    for (const message of held) this.ports.take(message);
  }

  forget(): void {
    this.held = null;
  }

  private hold(message: RoomMessage): void {
    const held = (this.held = [message]);
    this.ports.later(() => {
      if (this.held === held) this.release();
    }, TOGETHER_MS);
  }

  /** Whether this moves the person to where others are, and the slots do not say so yet. */
  private awaitsSlots(message: RoomMessage): boolean {
    const before = this.ports.mirror.get();
    const sources = this.ports.sources();
    if (!before || !sources || message.type === "welcome") return false;
    const after = applyMessage(before, message).mirror;
    const place = after && placeIn(after);
    if (!after || !place || place === placeIn(before)) return false;
    const company = companyOf(after.view, after.me);
    return company.length > 0 && !company.some((one) => sources.includes(one.id));
  }
}

function placeIn(mirror: Mirror): string | undefined {
  return mirror.view.participants[mirror.me]?.placement;
}
