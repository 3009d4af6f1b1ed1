// SPDX-License-Identifier: Apache-2.0
import { captureFor } from "./encodings.ts";
import { Store } from "./store.ts";

export type DeviceKind = "microphone" | "camera";

/** `starting`: the browser is asking or the device is warming up. */
export type DeviceState = "off" | "starting" | "on";

/**
 * Why a device could not be turned on, or, for `gone`, was turned off; each has its own help.
 * `paused`: it is on, but the system gives nothing of it for now, as a phone does during a call.
 */
export type DeviceProblem = "blocked" | "missing" | "gone" | "busy" | "unsupported" | "paused";

export interface DeviceStatus {
  readonly state: DeviceState;
  readonly problem: DeviceProblem | null;
  readonly track: MediaStreamTrack | null;
}

export interface DeviceChoice {
  readonly id: string;
  readonly label: string;
}

export interface DevicePorts {
  readonly getUserMedia: ((constraints: MediaStreamConstraints) => Promise<MediaStream>) | null;
  readonly enumerateDevices: (() => Promise<MediaDeviceInfo[]>) | null;
  /** Calls whenever a device is plugged in or taken away; returns how to stop. */
  readonly plugged?: (changed: () => void) => () => void;
  /** The picture to ask the camera for. */
  readonly capture: MediaTrackConstraints;
}

const OFF: DeviceStatus = { state: "off", problem: null, track: null };

const SOUND: MediaTrackConstraints = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };

const BROWSER_KIND: Record<DeviceKind, MediaDeviceKind> = { microphone: "audioinput", camera: "videoinput" };

/**
 * The person's own microphone and camera.
 *
 * `turnOn` is called from the handlers of their own presses and from nowhere else. Off means that the device is
 * released: its light goes out, and the browser no longer shows it as in use.
 */
export class Devices {
  readonly microphone = new Store<DeviceStatus>(OFF);
  readonly camera = new Store<DeviceStatus>(OFF);
  private readonly chosen: Partial<Record<DeviceKind, string>> = {};

  constructor(private readonly ports: DevicePorts) {}

  status(kind: DeviceKind): Store<DeviceStatus> {
    return kind === "microphone" ? this.microphone : this.camera;
  }

  /** Resolves to whether the device is on now. Turning it off meanwhile wins. */
  async turnOn(kind: DeviceKind): Promise<boolean> {
    const store = this.status(kind);
    this.release(kind);
    const starting: DeviceStatus = { state: "starting", problem: null, track: null };
    store.set(starting);
    try {
      const track = await this.capture(kind);
      if (store.get() !== starting) {
        track.stop();
        return false;
      }
      this.follow(kind, track);
      store.set({ state: "on", problem: null, track });
      return true;
    } catch (error) {
      if (store.get() === starting) store.set({ ...OFF, problem: problemOf(error) });
      return false;
    }
  }

  turnOff(kind: DeviceKind): void {
    this.release(kind);
    this.status(kind).set(OFF);
  }

  /** Remembers the choice; a device that is on changes over, one that is off stays off. */
  async choose(kind: DeviceKind, id: string): Promise<void> {
    this.chosen[kind] = id;
    if (this.status(kind).get().state === "on") await this.turnOn(kind);
  }

  chosenId(kind: DeviceKind): string {
    return this.chosen[kind] ?? "";
  }

  /** Names of devices are known only after permission was given once; nameless ones are left out. */
  async list(kind: DeviceKind): Promise<readonly DeviceChoice[]> {
    const all = (await this.ports.enumerateDevices?.()) ?? [];
    return all
      .filter((device) => device.kind === BROWSER_KIND[kind] && device.label !== "")
      .map((device) => ({ id: device.deviceId, label: device.label }));
  }

  /** Calls whenever what `list` tells may have changed; returns how to stop. */
  watch(changed: () => void): () => void {
    return this.ports.plugged?.(changed) ?? (() => undefined);
  }

  /** The chosen device; when that has been taken away since, whichever the browser has. */
  private async capture(kind: DeviceKind): Promise<MediaStreamTrack> {
    try {
      return await this.ask(kind, this.chosen[kind]);
    } catch (error) {
      if (!this.chosen[kind] || problemOf(error) !== "missing") throw error;
      delete this.chosen[kind];
      return this.ask(kind, undefined);
    }
  }

  private async ask(kind: DeviceKind, id: string | undefined): Promise<MediaStreamTrack> {
    if (!this.ports.getUserMedia) throw new DOMException("", "NotSupportedError");
    const wanted = { ...(kind === "microphone" ? SOUND : this.ports.capture), ...(id ? { deviceId: { exact: id } } : {}) };
    const stream = await this.ports.getUserMedia(kind === "microphone" ? { audio: wanted } : { video: wanted });
    const [track] = stream.getTracks();
    if (!track) throw new DOMException("", "NotFoundError");
    return track;
  }

  private release(kind: DeviceKind): void {
    this.status(kind).get().track?.stop();
  }

  private follow(kind: DeviceKind, track: MediaStreamTrack): void {
    const become = (status: DeviceStatus): void => {
      if (this.status(kind).get().track === track) this.status(kind).set(status);
    };
    track.addEventListener("ended", () => become({ ...OFF, problem: "gone" }));
    track.addEventListener("mute", () => become({ state: "on", problem: "paused", track }));
    track.addEventListener("unmute", () => become({ state: "on", problem: null, track }));
  }
}

function problemOf(error: unknown): DeviceProblem {
  switch (error instanceof Error ? error.name : "") {
    case "NotAllowedError":
    case "SecurityError":
      return "blocked";
    case "NotFoundError":
    case "OverconstrainedError":
      return "missing";
    case "NotSupportedError":
    case "TypeError":
      return "unsupported";
    default:
      return "busy";
  }
}

/** Network Information, which only some browsers have. */
interface SavingNavigator extends Navigator {
  readonly connection?: { readonly saveData?: boolean };
}

export function browserDevices(): Devices {
  const { mediaDevices: media, hardwareConcurrency, connection } = navigator as Partial<SavingNavigator>;
  return new Devices({
    getUserMedia: media ? (constraints) => media.getUserMedia(constraints) : null,
    enumerateDevices: media ? () => media.enumerateDevices() : null,
    plugged: (changed) => {
      media?.addEventListener("devicechange", changed);
      return () => media?.removeEventListener("devicechange", changed);
    },
    capture: captureFor({
      cores: hardwareConcurrency,
      touch: matchMedia("(pointer: coarse)").matches,
      saveData: connection?.saveData ?? false,
    }),
  });
}
