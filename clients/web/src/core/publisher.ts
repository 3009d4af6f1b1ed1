// SPDX-License-Identifier: Apache-2.0
import type { Acknowledgement, ClientCommand, Participant } from "../protocol/messages.ts";
import type { DeviceKind, Devices } from "./devices.ts";
import type { Media } from "./media.ts";

const KINDS: readonly DeviceKind[] = ["microphone", "camera"];
const TRACK = { microphone: "audio", camera: "video" } as const;

export interface PublisherPorts {
  readonly devices: Devices;
  readonly media: Pick<Media, "publish">;
  readonly command: (command: ClientCommand) => Promise<Acknowledgement>;
  /** The room refused to let the person be heard or seen. */
  readonly refused: (kind: DeviceKind, reason: string) => void;
}

/**
 * Keeps three things in step: the device (the person's press), the room's record of it, and what is sent.
 *
 * A track is sent only while the device is on AND the room's record says so. When the record is turned off by
 * somebody else the device is turned off too. The other way does not exist: no message of the server turns a
 * device on, since `Devices.turnOn` is never called from here.
 */
export class Publisher {
  private self: Participant | undefined;
  /** What the room was told last and has not recorded yet; null: nothing. */
  private readonly told: Record<DeviceKind, boolean | null> = { microphone: null, camera: null };

  constructor(private readonly ports: PublisherPorts) {
    for (const kind of KINDS) ports.devices.status(kind).subscribe(() => this.settle(kind));
  }

  /** The room's newest record of this person; undefined while they have no seat or wait in the lobby. */
  recorded(self: Participant | undefined): void {
    const before = this.self;
    this.self = self;
    for (const kind of KINDS) {
      if (before?.[kind] && self && !self[kind]) this.ports.devices.turnOff(kind);
      this.settle(kind);
    }
  }

  private settle(kind: DeviceKind): void {
    const { state, track } = this.ports.devices.status(kind).get();
    const record = this.self?.[kind] ?? false;
    const wanted = state === "on";
    void this.ports.media.publish(TRACK[kind], wanted && record ? track : null);
    if (record === wanted) this.told[kind] = null;
    else if (this.self && state !== "starting" && this.told[kind] !== wanted) void this.ask(kind, wanted);
  }

  private async ask(kind: DeviceKind, on: boolean): Promise<void> {
    this.told[kind] = on;
    const answer = await this.ports.command({ type: kind === "microphone" ? "set_microphone" : "set_camera", on });
    if (answer.type === "ok" || !on) return;
    this.told[kind] = null;
    this.ports.devices.turnOff(kind);
    this.ports.refused(kind, answer.reason);
  }
}
