// SPDX-License-Identifier: Apache-2.0
import { mount } from "svelte";
import "./app.css";
import { browserMedia, browserMesh } from "./core/browser.ts";
import { browserDevices } from "./core/devices.ts";
import { PatientPolicy } from "./core/reconnect.ts";
import { later, newId, now } from "./core/runtime.ts";
import { Session } from "./core/session.ts";
import { fetchTicket, SeatMemory } from "./core/tickets.ts";
import { lazyWire } from "./core/wire.ts";
import Root from "./ui/Root.svelte";
import { preferredLocale, useLocale } from "./ui/text.svelte.ts";

/** The fragment carries the token of the link: taken once, then out of the address bar and the history. */
function takeFragment(): string {
  const { hash } = location;
  if (hash) history.replaceState(null, "", location.pathname + location.search);
  return hash;
}

async function start(): Promise<void> {
  const fragment = takeFragment();
  // Fetched while the person is still before the door, so that the first page is small.
  const transport = import("./core/socketio.ts");
  await useLocale(preferredLocale());
  mount(Root, {
    target: document.getElementById("app") as HTMLElement,
    props: {
      makeSession: (ports) => {
        const session = new Session({
          wire: lazyWire(async () => (await transport).socketIoWire(location.origin)),
          policy: new PatientPolicy(),
          now,
          later,
          newId,
          fetchTicket: (token) => fetchTicket(fetch.bind(window), token),
          memory: new SeatMemory(sessionStorage),
          devices: browserDevices(),
          createMedia: browserMedia,
          createMesh: browserMesh,
          ...ports,
        });
        void session.start(fragment);
        addEventListener("hashchange", () => location.hash && location.reload());
        return session;
      },
    },
  });
}

void start();
