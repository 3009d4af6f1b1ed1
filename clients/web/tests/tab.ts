// SPDX-License-Identifier: Apache-2.0
import { Devices } from "../src/core/devices.ts";
import { Media } from "../src/core/media.ts";
import { Mesh } from "../src/core/mesh.ts";
import type { Line } from "../src/core/narrator.ts";
import { Session } from "../src/core/session.ts";
import { SeatMemory, TicketRefused } from "../src/core/tickets.ts";
import { room, TICKET } from "../src/fixtures/views.ts";
import type { Event, RoomView } from "../src/protocol/messages.ts";
import { FakePeer, givingDevices, ScriptedServer } from "./fakes.ts";
import { settled, VirtualTime } from "./virtual.ts";

export const TOKEN = "a-token-of-a-link";

/** A session as a tab has it: with a scripted server, virtual time, and devices that are given when asked for. */
export class Tab {
  readonly server = new ScriptedServer();
  readonly time = new VirtualTime();
  readonly peers: FakePeer[] = [];
  readonly lines: Line[] = [];
  readonly refusals: string[] = [];
  unsafe = 0;
  readonly given = givingDevices();
  readonly session: Session;
  ticket = TICKET;
  swaps = 0;
  refuse: string | null = null;

  /** `storage` outlives a reload, as `sessionStorage` does. */
  constructor(readonly storage = new Map<string, string>()) {
    let id = 0;
    this.session = new Session({
      wire: this.server.wire,
      policy: { nextRetryDelayInMs: () => 100 },
      now: this.time.now,
      later: this.time.later,
      newId: () => `c${++id}`,
      fetchTicket: () => {
        this.swaps++;
        return this.refuse ? Promise.reject(new TicketRefused(this.refuse)) : Promise.resolve(this.ticket);
      },
      memory: new SeatMemory({
        getItem: (key) => storage.get(key) ?? null,
        setItem: (key, value) => void storage.set(key, value),
        removeItem: (key) => void storage.delete(key),
      }),
      devices: new Devices(this.given.ports),
      createMedia: (sendOffer) =>
        new Media({
          createPeer: () => {
            this.peers.push(new FakePeer());
            return this.peers.at(-1) as unknown as RTCPeerConnection;
          },
          codecs: () => null,
          sendOffer,
          firstOffer: 1,
          now: this.time.now,
          later: this.time.later,
        }),
      createMesh: (signal, shown) =>
        new Mesh(
          {
            createPeer: () => {
              this.peers.push(new FakePeer());
              return this.peers.at(-1) as unknown as RTCPeerConnection;
            },
            codecs: () => null,
            signal,
            newName: () => `n${this.peers.length}`,
            now: this.time.now,
            later: this.time.later,
          },
          shown,
        ),
      narrate: (line) => this.lines.push(line),
      refused: (reason) => this.refusals.push(reason),
      unsafe: () => this.unsafe++,
    });
  }

  async inside(view: RoomView = room()): Promise<this> {
    await this.session.start(`#${TOKEN}`);
    this.session.join("Ana");
    this.server.welcome({ view });
    await settled();
    return this;
  }

  say(...events: Event[]): void {
    const { seq, epoch } = this.session.mirror.get()!;
    this.server.handlers?.message({ type: "events", epoch, from: seq + 1, to: seq + 1, now_ms: 0, events });
  }

  end(reason: string, code: number): void {
    this.server.handlers?.notice({ type: "disconnecting", code: code as 3513, reason, message: "", reconnect: false, retry_after_ms: null, detail: "" });
    this.server.breakWire();
  }
}
