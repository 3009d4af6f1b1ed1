// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, test } from "vitest";
import { watchNetwork } from "../src/core/network.ts";
import { Recovery } from "../src/core/recovery.ts";
import { settled, VirtualTime } from "./virtual.ts";

describe("a connection in trouble", () => {
  let time: VirtualTime;
  let log: string[];
  let accept: boolean;
  let recovery: Recovery;

  beforeEach(() => {
    time = new VirtualTime();
    log = [];
    accept = true;
    recovery = new Recovery({
      restart: () => Promise.resolve(void log.push("restart")).then(() => accept),
      renew: () => log.push("renew"),
      interrupted: () => log.push("interrupted"),
      later: time.later,
    });
    recovery.became("connecting");
    recovery.became("connected");
  });

  const pass = async (ms: number): Promise<void> => {
    time.advance(ms);
    await settled();
  };

  test("a short gap heals by itself", async () => {
    recovery.became("disconnected");
    await pass(1_000);
    recovery.became("connected");
    await pass(10_000);
    expect(log).toEqual([]);
  });

  test("a longer one is answered with an ICE restart, and the connection is kept", async () => {
    recovery.became("disconnected");
    await pass(1_600);
    expect(log).toEqual(["interrupted", "restart"]);
    recovery.became("connected");
    await pass(20_000);
    expect(log).toEqual(["interrupted", "restart"]);
  });

  test("failed means at once; one restart at a time", async () => {
    recovery.became("disconnected");
    recovery.became("failed");
    recovery.networkChanged();
    await pass(2_000);
    expect(log).toEqual(["interrupted", "restart"]);
  });

  test("a restart that brings nothing back ends in a new connection", async () => {
    recovery.became("failed");
    await settled();
    await pass(10_000);
    expect(log).toEqual(["interrupted", "restart", "renew"]);
  });

  test("a restart that cannot even begin ends in a new connection, too", async () => {
    const broken = new Recovery({
      restart: () => Promise.reject(new Error("no offer")),
      renew: () => log.push("renew"),
      interrupted: () => log.push("interrupted"),
      later: time.later,
    });
    broken.became("connected");
    broken.became("failed");
    await settled();
    expect(log).toEqual(["interrupted", "renew"]);
  });

  test("a restart that the server refuses does, too, at once", async () => {
    accept = false;
    recovery.became("failed");
    await settled();
    expect(log).toEqual(["interrupted", "restart", "renew"]);
  });

  test("another network is not waited for, and nobody is told while it still works", async () => {
    recovery.networkChanged();
    await pass(10_000);
    expect(log).toEqual(["restart"]);
  });

  test("after sleep only what does not work is restarted", async () => {
    recovery.resumed();
    expect(log).toEqual([]);
    recovery.became("disconnected");
    recovery.resumed();
    expect(log).toEqual(["interrupted", "restart"]);
  });

  test("each new trouble has its own restart", async () => {
    for (let times = 0; times < 3; times++) {
      recovery.became("disconnected");
      await pass(1_600);
      recovery.became("connected");
      await pass(7_000);
    }
    expect(log.filter((one) => one === "restart")).toHaveLength(3);
    expect(log).not.toContain("renew");
  });

  test("what never worked, or was closed, is left alone", async () => {
    const fresh = new Recovery({ restart: () => Promise.reject(new Error()), renew: () => log.push("renew"), interrupted: () => undefined, later: time.later });
    expect(fresh.became("failed")).toBe(false);
    fresh.networkChanged();
    recovery.became("disconnected");
    recovery.stop();
    await pass(20_000);
    expect(log).toEqual([]);
  });
});

describe("what the browser knows of its network", () => {
  test("online again and a page that comes back are told, until stopped", () => {
    const log: string[] = [];
    const stop = watchNetwork(window as unknown as Window & typeof globalThis, { changed: () => log.push("changed"), resumed: () => log.push("resumed") });
    window.dispatchEvent(new Event("online"));
    document.dispatchEvent(new Event("resume"));
    expect(log).toEqual(["changed", "resumed"]);
    stop();
    window.dispatchEvent(new Event("online"));
    expect(log).toHaveLength(2);
  });
});
