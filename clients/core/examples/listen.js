// SPDX-License-Identifier: Apache-2.0
import { browserMedia, peopleIn, Room, socketIoWire, tokenOf } from "@holdspace/client";

const SERVER = new URLSearchParams(location.search).get("server") ?? "https://groups.example.org";
const find = (id) => document.getElementById(id);

const room = new Room({
  wire: socketIoWire(SERVER),
  token: tokenOf(location.hash) ?? "",
  name: "Listener",
  agreement: 1, // of the room that you have made; show its text before the button
  createMedia: browserMedia,
});

room.mirror.subscribe((mirror) => {
  const here = mirror ? peopleIn(mirror.view, room.self?.placement ?? "main") : [];
  find("people").replaceChildren(...here.map((person) => element("li", { textContent: person.name })));
});

/** One pair of players for each slot; whom it carries is in `slot.source`, and changes without a new connection. */
room.media.slots.subscribe((slots) => {
  const known = find("pictures");
  for (const slot of slots.slice(known.children.length)) {
    const stream = new MediaStream([slot.audioTrack, slot.videoTrack]);
    known.append(element("video", { autoplay: true, playsInline: true, srcObject: stream }));
  }
  for (const slot of slots) known.children[slot.index].hidden = slot.source === null;
});
room.media.state.subscribe((state) => (find("state").textContent = state));
room.ending.subscribe((ending) => ending && (find("state").textContent = ending.reason));

// The press is also what lets the browser play sound. Nothing is sent: no track was given to `room.media.publish`.
// Who is not let in reads why in `ending`.
find("join").addEventListener("click", () => room.join().catch(() => {}), { once: true });

function element(tag, properties) {
  return Object.assign(document.createElement(tag), properties);
}
