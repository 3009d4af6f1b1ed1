// SPDX-License-Identifier: Apache-2.0
// Follow a room from Node: node follow.mjs 'https://groups.example.org/#TOKEN'
import { fetchTicket, peopleIn, Room, socketIoWire, tokenOf } from "@holdspace/client";

const link = new URL(process.argv[2]);
const atServer = (path, init) => fetch(new URL(path, link), init);
const ticket = await fetchTicket(atServer, tokenOf(link.hash) ?? "");

const room = new Room({
  wire: socketIoWire(link.origin),
  token: ticket.ticket,
  singleUse: ticket.single_use,
  name: "Watcher",
  // Show `ticket.room.agreement.text` to the person, and pass the version on only if they accept it.
  agreement: ticket.room.agreement.version,
  event: (event) => console.log(event.type),
});
room.ending.subscribe((ending) => {
  if (!ending) return;
  // What was answered before is told before.
  setImmediate(() => {
    console.log("over:", ending.reason);
    process.exit();
  });
});

const { view } = await room.join();
console.log(peopleIn(view, "main").length, "people in", view.settings.title);
const answer = await room.command({ type: "send_chat", text: "Hello from Node" });
console.log(answer.type);
