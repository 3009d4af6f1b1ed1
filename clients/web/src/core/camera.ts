// SPDX-License-Identifier: Apache-2.0
import { layersFor } from "./encodings.ts";

/**
 * The camera's send line: whenever the picture or the negotiated encodings change, its layers are set anew.
 *
 * Movement is kept at the cost of sharpness when the processor or the link is short: signs and faces need it.
 */
export class CameraLine {
  private queue: Promise<void> = Promise.resolve();
  private stopped = false;

  constructor(private readonly sender: RTCRtpSender) {}

  /** Sends this picture, or nothing. */
  send(track: MediaStreamTrack | null): Promise<void> {
    return this.next(async () => {
      await this.sender.replaceTrack(track);
      if (!this.stopped) await this.shape(track);
    });
  }

  /** The answer is in: it may have left fewer encodings than were offered. */
  negotiated(): Promise<void> {
    return this.next(() => this.shape(this.sender.track));
  }

  /** The connection is being closed: what is still to be done is not wanted any more. */
  stop(): void {
    this.stopped = true;
  }

  /** One change at a time: `setParameters` refuses parameters that were read before another change. */
  private next(change: () => Promise<void>): Promise<void> {
    const done = this.queue.then(() => (this.stopped ? undefined : change()));
    const kept = done.catch((error: unknown) => {
      if (!this.stopped) throw error;
    });
    this.queue = kept.catch(() => undefined);
    return kept;
  }

  private async shape(track: MediaStreamTrack | null): Promise<void> {
    if (!track) return;
    const parameters = this.sender.getParameters();
    const { width = 0, height = 0 } = track.getSettings();
    const layers = layersFor(Math.min(width, height), parameters.encodings.length);
    parameters.encodings.forEach((encoding, index) => Object.assign(encoding, layers[index]));
    parameters.degradationPreference = "maintain-framerate";
    await this.sender.setParameters(parameters);
  }
}
