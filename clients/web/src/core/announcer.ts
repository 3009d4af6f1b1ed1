// SPDX-License-Identifier: Apache-2.0

export type AnnouncementKind = "move" | "moderation" | "connection" | "help" | "turn" | "timer" | "chat" | "reaction" | "presence" | "absence" | "result";
export type Politeness = "polite" | "assertive";

export interface Announcement {
  readonly kind: AnnouncementKind;
  readonly text: string;
}

/** Kinds that may interrupt: what happens to the person, and calls for help. Everything else waits for a pause. */
const ASSERTIVE: ReadonlySet<AnnouncementKind> = new Set(["move", "moderation", "connection", "help"]);

/** Kinds that a busy room produces in numbers; when the queue is full they go, in this order. Who listens goes last. */
const DROPPABLE: readonly AnnouncementKind[] = ["reaction", "absence", "chat", "presence"];

/** Kinds that a person may do without. What happens to them, their turn and calls for help are always said. */
export const OPTIONAL = ["presence", "chat", "reaction", "timer"] as const satisfies readonly AnnouncementKind[];

const SPACING_MS = 1_200;
const REPEAT_MS = 4_000;
const MAX_WAITING = 6;

export interface AnnouncerPorts {
  /** Puts text into the live region of this politeness. */
  readonly say: (politeness: Politeness, text: string) => void;
  readonly now: () => number;
  readonly later: (run: () => void, ms: number) => void;
}

/** One voice for the whole page: in order, never the same thing twice in a row, never a flood. */
export class Announcer {
  private readonly waiting: Announcement[] = [];
  private readonly spoken = new Map<string, number>();
  private readonly silenced = new Set<AnnouncementKind>();
  private busyUntil = 0;
  private scheduled = false;

  constructor(private readonly ports: AnnouncerPorts) {}

  silence(kind: AnnouncementKind, silent: boolean): void {
    if (silent) this.silenced.add(kind);
    else this.silenced.delete(kind);
  }

  announce(announcement: Announcement): void {
    if (this.silenced.has(announcement.kind) || this.isRepeat(announcement.text)) return;
    this.spoken.set(announcement.text, this.ports.now());
    if (ASSERTIVE.has(announcement.kind)) {
      this.ports.say("assertive", announcement.text);
      return;
    }
    this.waiting.push(announcement);
    this.shorten();
    this.schedule();
  }

  /** What still waits belongs to a page that is over. */
  forget(): void {
    this.waiting.length = 0;
  }

  private isRepeat(text: string): boolean {
    const now = this.ports.now();
    for (const [old, at] of this.spoken) if (now - at > REPEAT_MS) this.spoken.delete(old);
    return this.spoken.has(text);
  }

  private shorten(): void {
    while (this.waiting.length > MAX_WAITING) {
      const kind = DROPPABLE.find((one) => this.waiting.some((item) => item.kind === one));
      const index = this.waiting.findIndex((item) => item.kind === kind);
      this.waiting.splice(Math.max(index, 0), 1);
    }
  }

  private schedule(): void {
    if (this.scheduled || this.waiting.length === 0) return;
    this.scheduled = true;
    this.ports.later(() => this.speak(), Math.max(0, this.busyUntil - this.ports.now()));
  }

  private speak(): void {
    this.scheduled = false;
    const next = this.waiting.shift();
    if (!next) return;
    this.ports.say("polite", next.text);
    this.busyUntil = this.ports.now() + SPACING_MS;
    this.schedule();
  }
}
