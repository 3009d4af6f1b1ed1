// SPDX-License-Identifier: Apache-2.0

/** Frames buffered before a change of source go on being painted for up to this long. */
const STALE_MS = 200;

interface Waiting {
  readonly sinceMs: number;
  readonly shown: () => void;
}

/**
 * What one video has painted, so that nobody sees a frame of the person who was in its slot before.
 *
 * A frame may come while the page is still making the tile for it: it is not to wait for the next one then. So a video
 * is followed while it is out of sight, and in a tile until the frame that the tile waits for.
 */
export class Frames {
  /** When the newest frame that was painted had been received, on the page's clock. */
  private receivedMs = -Infinity;
  private outOfSight = false;
  private following = false;
  private waiting: Waiting | null = null;

  constructor(private readonly video: HTMLVideoElement) {}

  /** The video is in no tile. */
  parked(): void {
    this.outOfSight = true;
    this.follow();
  }

  /** Calls `shown` once a frame is painted that was received at `sinceMs` or later. Returns how to stop waiting. */
  awaited(sinceMs: number, shown: () => void): () => void {
    this.outOfSight = false;
    if (!("requestVideoFrameCallback" in this.video)) return whenPlaying(this.video, shown);
    const waiting = { sinceMs, shown };
    this.waiting = waiting;
    if (!this.look()) this.follow();
    return () => {
      if (this.waiting === waiting) this.waiting = null;
    };
  }

  private look(): boolean {
    const { waiting } = this;
    if (!waiting || this.receivedMs < waiting.sinceMs) return false;
    this.waiting = null;
    waiting.shown();
    return true;
  }

  private follow(): void {
    if (this.following || !("requestVideoFrameCallback" in this.video)) return;
    this.following = true;
    this.video.requestVideoFrameCallback((now, frame) => {
      this.following = false;
      this.receivedMs = frame.receiveTime ?? now - STALE_MS;
      this.look();
      if (this.outOfSight || this.waiting) this.follow();
    });
  }
}

function whenPlaying(video: HTMLVideoElement, shown: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const playing = (): void => {
    timer ??= setTimeout(shown, STALE_MS);
  };
  video.addEventListener("timeupdate", playing);
  return () => {
    video.removeEventListener("timeupdate", playing);
    clearTimeout(timer);
  };
}
