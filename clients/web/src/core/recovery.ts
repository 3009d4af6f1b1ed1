// SPDX-License-Identifier: Apache-2.0

export interface RecoveryPorts {
  /** Begins an ICE restart on the same connection; resolves to whether the server has taken the offer. */
  readonly restart: () => Promise<boolean>;
  /** A new connection in place of this one. */
  readonly renew: () => void;
  /** Sound and picture are known to be interrupted, and on their way back. */
  readonly interrupted: () => void;
  readonly later: (run: () => void, ms: number) => void;
}

/** A train in a tunnel: shorter gaps heal by themselves. */
const PATIENCE_MS = 1_500;
/** With the new answer in hand, checks on a path that works are done well within this. */
const RESTART_MS = 6_000;

/**
 * Brings one connection back after the network has failed it or changed: by ICE restart, else by a new connection.
 *
 * Everything in the room stays as it is meanwhile: the seat, the devices, the slots.
 */
export class Recovery {
  private state: RTCPeerConnectionState = "new";
  private worked = false;
  private restarting = false;
  private stopped = false;
  private changes = 0;

  constructor(private readonly ports: RecoveryPorts) {}

  /** Resolves to false while this connection has never worked: then it is not ours to save. */
  became(state: RTCPeerConnectionState): boolean {
    this.state = state;
    const change = ++this.changes;
    if (state === "connected") this.worked = true;
    if (!this.worked) return false;
    if (state === "failed") void this.restart();
    if (state === "disconnected") {
      this.ports.later(() => {
        if (change === this.changes) void this.restart();
      }, PATIENCE_MS);
    }
    return true;
  }

  /** Another network, or the same one again: the path from before is gone or bad, so do not wait until it is noticed. */
  networkChanged(): void {
    if (this.worked) void this.restart();
  }

  /** The page was frozen or asleep. */
  resumed(): void {
    if (this.worked && this.state !== "connected") void this.restart();
  }

  stop(): void {
    this.stopped = true;
  }

  private async restart(): Promise<void> {
    if (this.restarting || this.stopped) return;
    this.restarting = true;
    if (this.state !== "connected") this.ports.interrupted();
    // One that cannot even be begun is one that was not taken: a new connection is the answer to both.
    const taken = await this.ports.restart().catch(() => false);
    if (this.stopped) return;
    if (!taken) return this.renew();
    this.ports.later(() => {
      this.restarting = false;
      if (this.state !== "connected" && !this.stopped) this.renew();
    }, RESTART_MS);
  }

  private renew(): void {
    this.stopped = true;
    this.ports.renew();
  }
}
