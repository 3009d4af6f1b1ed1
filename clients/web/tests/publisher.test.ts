// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, test } from "vitest";
import { Devices } from "../src/core/devices.ts";
import { Publisher } from "../src/core/publisher.ts";
import { person } from "../src/fixtures/views.ts";
import type { Acknowledgement, ClientCommand } from "../src/protocol/messages.ts";
import { FakeTrack, givingDevices } from "./fakes.ts";
import { settled } from "./virtual.ts";

describe("device, record and sending in step", () => {
  let commands: ClientCommand[];
  let answer: Acknowledgement;
  let sent: Record<string, unknown>;
  let devices: Devices;
  let publisher: Publisher;
  let refusals: string[];
  let tracks: FakeTrack[];
  let asked: MediaStreamConstraints[];
  const me = (change = {}) => person(1, { microphone: false, camera: false, ...change });

  beforeEach(() => {
    commands = [];
    answer = { type: "ok", seq: 1, safe: true };
    sent = {};
    refusals = [];
    const given = givingDevices();
    ({ tracks, asked } = given);
    devices = new Devices(given.ports);
    publisher = new Publisher({
      devices,
      media: { publish: (kind, track) => Promise.resolve(void (sent[kind] = track)) },
      command: (command) => {
        commands.push(command);
        return Promise.resolve(answer);
      },
      refused: (_, reason) => refusals.push(reason),
    });
  });

  test("what was turned on before the door is asked for once inside, and sent when the room has recorded it", async () => {
    await devices.turnOn("microphone");
    expect(commands).toEqual([]);
    publisher.recorded(me());
    expect(commands).toEqual([{ type: "set_microphone", on: true }]);
    expect(sent["audio"]).toBeNull();
    publisher.recorded(me({ microphone: true }));
    expect(sent["audio"]).toBe(tracks[0]);
    expect(commands).toHaveLength(1);
  });

  test("the person's own press to turn off stops sending at once and tells the room once", async () => {
    publisher.recorded(me());
    await devices.turnOn("camera");
    publisher.recorded(me({ camera: true }));
    devices.turnOff("camera");
    expect(sent["video"]).toBeNull();
    publisher.recorded(me({ camera: true, name: "other" }));
    expect(commands).toEqual([{ type: "set_camera", on: true }, { type: "set_camera", on: false }]);
  });

  test("when somebody else turns the record off, the device goes off too", async () => {
    publisher.recorded(me());
    await devices.turnOn("microphone");
    publisher.recorded(me({ microphone: true }));
    publisher.recorded(me({ microphone: false, hard_muted: true }));
    expect(tracks[0]!.stopped).toBe(true);
    expect(devices.microphone.get().state).toBe("off");
    expect(sent["audio"]).toBeNull();
    expect(commands).toHaveLength(1);
  });

  test("no record of the room ever turns a device on", () => {
    for (const on of [true, false, true]) publisher.recorded(me({ microphone: on, camera: on }));
    expect(asked).toEqual([]);
    expect(commands.every((command) => "on" in command && !command.on)).toBe(true);
  });

  test("refused, the device is turned off and the reason is told", async () => {
    answer = { type: "reject", code: 1018, reason: "hard_muted", message: "", retry_after_ms: null, detail: "" };
    publisher.recorded(me());
    await devices.turnOn("microphone");
    await settled();
    expect(refusals).toEqual(["hard_muted"]);
    expect(devices.microphone.get().state).toBe("off");
    expect(sent["audio"]).toBeNull();
  });

  test("a move changes neither", async () => {
    publisher.recorded(me());
    await devices.turnOn("microphone");
    publisher.recorded(me({ microphone: true }));
    publisher.recorded(me({ microphone: true, placement: "b1" }));
    publisher.recorded(me({ microphone: true, placement: "main" }));
    expect(tracks[0]!.stopped).toBe(false);
    expect(sent["audio"]).toBe(tracks[0]);
    expect(commands).toHaveLength(1);
  });
});
