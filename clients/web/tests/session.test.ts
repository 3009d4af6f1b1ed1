// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { people, room, TICKET } from "../src/fixtures/views.ts";
import type { Event, RoomView } from "../src/protocol/messages.ts";
import { Tab, TOKEN } from "./tab.ts";
import { settled } from "./virtual.ts";

describe("before joining", () => {
  test("a link is swapped for a ticket and nothing is dialled", async () => {
    const tab = new Tab();
    await tab.session.start(`#${TOKEN}`);
    expect(tab.session.stage.get()).toEqual({ kind: "pre_join", ticket: TICKET, name: "" });
    expect(tab.server.dials).toBe(0);
    expect(tab.given.asked).toEqual([]);
  });

  test("without a link there is no session here", async () => {
    const tab = new Tab();
    await tab.session.start("");
    expect(tab.session.stage.get()).toEqual({ kind: "over", reason: "no_link" });
  });

  test("a refused link says why", async () => {
    const tab = new Tab();
    tab.refuse = "token_expired";
    await tab.session.start(`#${TOKEN}`);
    expect(tab.session.stage.get()).toEqual({ kind: "over", reason: "token_expired" });
  });

  test("joining sends the name, the accepted agreement, and that nothing is on", async () => {
    const tab = new Tab();
    await tab.session.start(`#${TOKEN}`);
    tab.session.join("Ana");
    expect(tab.server.handlers?.auth()).toEqual({
      token: "fixture", protocol: 1, name: "Ana", agreement: 3, microphone: false, camera: false, resume: null,
    });
  });

  test("a ticket for one use is shown again with its claim, also after a reload without a Welcome", async () => {
    const tab = new Tab();
    tab.ticket = { ...TICKET, single_use: true };
    await tab.session.start(`#${TOKEN}`);
    tab.session.join("Ana");
    const first = tab.server.handlers?.auth();
    expect(first?.claim).toBe("c1c2");
    const reloaded = new Tab(tab.storage);
    await reloaded.session.start("");
    expect(reloaded.swaps).toBe(0);
    expect(reloaded.server.handlers?.auth()).toEqual(first);
  });

  test("whoever reloads before the Welcome is the same person, also with a link for everybody", async () => {
    const tab = new Tab();
    await tab.session.start(`#${TOKEN}`);
    tab.session.join("Ana");
    const reloaded = new Tab(tab.storage);
    await reloaded.session.start(`#${TOKEN}`);
    expect(reloaded.swaps).toBe(0);
    expect(reloaded.server.handlers?.auth()).toMatchObject({ token: "fixture", name: "Ana", resume: null });
  });

  test("declining is one press and leaves nothing but the link", async () => {
    const tab = new Tab();
    await tab.session.start(`#${TOKEN}`);
    tab.session.decline();
    expect(tab.session.stage.get()).toEqual({ kind: "over", reason: "declined" });
    expect(tab.server.dials).toBe(0);
  });
});

describe("inside", () => {
  let tab: Tab;
  beforeEach(async () => {
    tab = await new Tab().inside();
  });

  test("there is one peer connection, and an offer for it", () => {
    expect(tab.peers).toHaveLength(1);
    expect(tab.server.commands).toContain("media_offer");
  });

  test("a move keeps the peer connection and offers nothing", async () => {
    const moved = room({ participants: people(6, (index) => (index === 1 ? { placement: "b1" } : {})) });
    tab.server.acknowledge();
    tab.server.handlers?.message({ type: "snapshot", epoch: 7, seq: 11, now_ms: 0, view: moved });
    await settled();
    expect(tab.peers).toHaveLength(1);
    expect(tab.peers[0]!.offers).toBe(1);
    expect(tab.server.commands).toEqual([]);
    expect(tab.lines.map((line) => line.id)).toContain("say-moved-room");
  });

  test("after a gap a snapshot is asked for, once", () => {
    tab.server.acknowledge();
    const ahead = { type: "events" as const, epoch: 7, from: 15, to: 15, now_ms: 0, events: [] };
    tab.server.handlers?.message(ahead);
    tab.server.handlers?.message(ahead);
    expect(tab.server.commands).toEqual(["resync"]);
  });

  test("a lost connection comes back with its position and the newest secret", () => {
    tab.say({ type: "hand_raised", hand: { participant: "p1", raised_ms: 0 } });
    tab.server.breakWire();
    tab.time.advance(100);
    expect(tab.server.handlers?.auth().resume).toEqual({ epoch: 7, seq: 11, secret: "secret-1" });
    tab.server.welcome({ view: null, tail: [], seq: 11 });
    expect(tab.session.mirror.get()?.view.hands).toHaveLength(1);
    expect(tab.session.connection.state.get()).toBe("connected");
  });

  test("a refusal of one's command is told", async () => {
    tab.server.acknowledge();
    const done = tab.session.run({ type: "raise_hand" });
    tab.server.acknowledge({ type: "reject", code: 1011, reason: "not_now", message: "", retry_after_ms: null, detail: "" });
    expect(await done).toBe(false);
    expect(tab.refusals).toEqual(["not_now"]);
  });

  test("words for one room are never sent in another", async () => {
    tab.server.acknowledge();
    expect(await tab.session.say("only for you", "b1")).toBe("moved");
    expect(tab.server.commands).toEqual([]);
    const late = tab.session.say("only for you", "main");
    expect(tab.server.commands).toEqual(["send_chat"]);
    tab.server.received.splice(0);
    tab.server.breakWire();
    tab.time.advance(100);
    tab.server.welcome({ view: room({ participants: people(6, () => ({ placement: "b1" })) }) });
    expect(await late).toBe("moved");
    expect(tab.server.commands).not.toContain("send_chat");
    const here = tab.session.say("hello", "b1");
    tab.server.acknowledge();
    expect(await here).toBe("said");
    expect(tab.refusals).toEqual([]);
  });

  test("a reaction is shown for a moment", () => {
    tab.say({ type: "reacted", participant: "p2", placement: "main", reaction: "heart" });
    expect(tab.session.reactions.get()).toHaveLength(1);
    tab.time.advance(5_000);
    expect(tab.session.reactions.get()).toEqual([]);
  });

  test("knows while nothing can change, and trusts a new welcome", async () => {
    const tab = await new Tab().inside();
    tab.server.handlers?.notice({ type: "read_only", on: true });
    expect(tab.session.readOnly.get()).toBe(true);
    tab.server.handlers?.notice({ type: "read_only", on: false });
    expect(tab.session.readOnly.get()).toBe(false);
    tab.server.handlers?.notice({ type: "read_only", on: true });
    tab.server.welcome();
    expect(tab.session.readOnly.get()).toBe(false);
  });

  describe("moved to others", () => {
    const elsewhere = room({ participants: people(6, (index) => (index < 3 ? { placement: "b1" } : { placement: "b2" })) });
    const slots = (source: string): void =>
      tab.server.handlers?.notice({ type: "slots", revision: 1, slots: [{ index: 0, source, audio: true, video: true, paused: null }] });
    const move = (): void => {
      const { epoch, seq } = tab.session.mirror.get()!;
      tab.server.handlers?.message({ type: "snapshot", epoch, seq: seq + 1, now_ms: 0, view: elsewhere });
    };
    const where = (): string | undefined => tab.session.self()?.placement;

    beforeEach(() => tab.peers[0]!.become("connected"));

    test("the place and who is seen there are shown at once", () => {
      let seen: readonly (string | null | undefined)[] = [];
      tab.session.mirror.subscribe(() => (seen = [where(), tab.session.media.slots.get()[0]?.source]));
      move();
      expect(where()).not.toBe("b1");
      slots("p2");
      expect(seen).toEqual(["b1", "p2"]);
    });

    test("what comes meanwhile keeps its order", () => {
      move();
      const { epoch, seq } = tab.session.mirror.get()!;
      const events: Event[] = [{ type: "camera_changed", participant: "p2", on: false, by: "p2" }];
      tab.server.handlers?.message({ type: "events", epoch, from: seq + 2, to: seq + 2, now_ms: 0, events });
      slots("p3");
      expect(tab.session.mirror.get()).toMatchObject({ seq: seq + 2 });
      expect(tab.session.mirror.get()!.view.participants["p2"]).toMatchObject({ placement: "b1", camera: false });
    });

    test("slots that stay away are not waited for", () => {
      move();
      tab.time.advance(39);
      expect(where()).not.toBe("b1");
      tab.time.advance(1);
      expect(where()).toBe("b1");
    });

    test("slots that came first are not waited for", () => {
      slots("p2");
      move();
      expect(where()).toBe("b1");
    });

    test("without media nothing is waited for", () => {
      tab.peers[0]!.become("failed");
      move();
      expect(where()).toBe("b1");
    });
  });

  test("the author hears of what is in force but not safe yet, and of nothing else", async () => {
    const removed = tab.session.run({ type: "remove", participant: "p2" });
    tab.server.acknowledge({ type: "ok", seq: 11, safe: true });
    expect([await removed, tab.unsafe]).toEqual([true, 0]);
    const again = tab.session.run({ type: "remove", participant: "p3" });
    tab.server.acknowledge({ type: "ok", seq: 12, safe: false });
    expect([await again, tab.unsafe, tab.refusals]).toEqual([true, 1, []]);
  });

  test("who is audible is shown until nobody says so any more", () => {
    tab.server.handlers?.notice({ type: "voices", levels: [{ participant: "p2", level: 20 }, { participant: "p3", level: 90 }] });
    expect([...tab.session.voices.get()]).toEqual(["p2"]);
    tab.time.advance(700);
    expect(tab.session.voices.get().size).toBe(0);
  });

  test("leaving stops devices and media at once and says goodbye", async () => {
    await tab.session.devices.turnOn("camera");
    tab.session.leave();
    expect(tab.given.tracks[0]!.stopped).toBe(true);
    expect(tab.peers[0]!.closed).toBe(true);
    expect(tab.server.commands).toContain("leave");
    expect(tab.session.stage.get()).toEqual({ kind: "over", reason: "left" });
    tab.time.advance(2_000);
    expect(tab.session.connection.state.get()).toBe("closed");
  });

  test("quick exit stops devices at once, says goodbye, leaves nothing behind, and waits for no answer for long", async () => {
    await tab.session.devices.turnOn("camera");
    let gone = false;
    void tab.session.vanish().then(() => (gone = true));
    expect(tab.given.tracks[0]!.stopped).toBe(true);
    expect(tab.peers[0]!.closed).toBe(true);
    expect(tab.server.commands).toContain("leave");
    expect([...tab.storage.keys()]).toEqual([]);
    await settled();
    const answered = gone;
    tab.time.advance(300);
    await settled();
    expect([answered, gone]).toEqual([false, true]);
  });

  test("what the link said of help in a crisis outlives the seat", () => {
    void tab.session.leave();
    expect(tab.session.info.get()).toEqual(TICKET.room);
  });

  test("after leaving one can come back by the same link, with everything off", async () => {
    tab.session.leave();
    await tab.session.rejoin();
    expect(tab.session.stage.get()).toMatchObject({ kind: "pre_join", name: "Ana" });
    tab.session.join("Ana");
    tab.time.advance(5_000);
    tab.server.welcome();
    expect(tab.session.connection.state.get()).toBe("connected");
    expect(tab.server.handlers?.auth()).toMatchObject({ microphone: false, camera: false });
  });

  test.each([
    ["session_over", 3513],
    ["removed", 3511],
    ["superseded", 3510],
    ["denied", 3512],
  ])("ended by %s: everything stops and the page says so", async (reason, code) => {
    await tab.session.devices.turnOn("microphone");
    tab.end(reason, code);
    expect(tab.session.stage.get()).toEqual({ kind: "over", reason });
    expect(tab.given.tracks[0]!.stopped).toBe(true);
    expect(tab.peers[0]!.closed).toBe(true);
  });
});

describe("after a reload", () => {
  test("the place is taken again without asking anything, devices off", async () => {
    const { storage } = await new Tab().inside();
    const tab = new Tab(storage);
    await tab.session.start("");
    expect(tab.swaps).toBe(0);
    expect(tab.server.handlers?.auth()).toMatchObject({ microphone: false, camera: false, resume: { epoch: 0, seq: 0, secret: "secret-1" } });
    tab.server.welcome({ view: room({ participants: people(6, (index) => (index === 1 ? { placement: "b1", camera: false } : {})) }) });
    expect(tab.session.self()?.placement).toBe("b1");
    expect(tab.given.asked).toEqual([]);
  });

  test("a place that is gone leads back to the door", async () => {
    const { storage } = await new Tab().inside();
    const tab = new Tab(storage);
    await tab.session.start("");
    tab.server.handlers?.refused({ code: 3519, reason: "resume_invalid", message: "", reconnect: false });
    await settled();
    expect(tab.session.stage.get().kind).toBe("pre_join");
  });

  test("another link is another seat", async () => {
    const { storage } = await new Tab().inside();
    const tab = new Tab(storage);
    await tab.session.start("#another-token-of-a-link");
    expect(tab.session.stage.get().kind).toBe("pre_join");
  });
});

test("no message of a whole recorded session asks the browser for a device", async () => {
  const file = join(import.meta.dirname, "../../../tests/golden/session.json");
  const recording = JSON.parse(readFileSync(file, "utf8")) as Record<string, { first: RoomView; items: { view?: RoomView; events?: Event[] }[] }>;
  const { first, items } = recording["participant"]!;
  const me = Object.keys(first.participants)[0]!;
  const tab = new Tab();
  await tab.session.start(`#${TOKEN}`);
  tab.session.join("Ana");
  tab.server.welcome({ participant: me, view: first });
  for (const { view, events } of items) {
    const seq = tab.session.mirror.get()!.seq;
    if (view) tab.server.handlers?.message({ type: "snapshot", epoch: 7, seq: seq + 1, now_ms: 0, view });
    else tab.say(...(events ?? []));
    tab.server.acknowledge();
    await settled();
  }
  expect(tab.session.mirror.get()!.seq).toBe(10 + items.length);
  expect(tab.given.asked).toEqual([]);
});
