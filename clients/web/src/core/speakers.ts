// SPDX-License-Identifier: Apache-2.0
import type { ParticipantId } from "../protocol/messages.ts";

/** A cough is no speech: only who is heard for so long counts. */
const SPEECH_MS = 900;
/** A pause shorter than this does not end a speech. */
const PAUSE_MS = 1_500;
/** So many are remembered: a conversation has few voices. */
const REMEMBERED = 4;

interface Speech {
  readonly sinceMs: number;
  readonly lastMs: number;
}

/** Who spoke lately, from reports of who is audible right now. */
export class RecentSpeakers {
  private readonly speeches = new Map<ParticipantId, Speech>();
  private recent: readonly ParticipantId[] = [];

  /** Resolves to who spoke lately, the last of them first; the same list as before while nothing has changed. */
  heard(ids: readonly ParticipantId[], nowMs: number): readonly ParticipantId[] {
    for (const id of ids) {
      const speech = this.speeches.get(id);
      const sinceMs = speech && nowMs - speech.lastMs <= PAUSE_MS ? speech.sinceMs : nowMs;
      this.speeches.set(id, { sinceMs, lastMs: nowMs });
      if (nowMs - sinceMs >= SPEECH_MS && this.recent[0] !== id) this.remember(id);
    }
    return this.recent;
  }

  forget(): void {
    this.speeches.clear();
    this.recent = [];
  }

  private remember(id: ParticipantId): void {
    this.recent = [id, ...this.recent.filter((other) => other !== id)].slice(0, REMEMBERED);
  }
}
