// SPDX-License-Identifier: Apache-2.0
// The stock browser client under Node: joins, says something, is refused something, and tells what it saw.
import { createRequire } from "node:module";

const [packages, url, token] = process.argv.slice(2);
const require = createRequire(packages);
const { io } = require("socket.io-client");
const parser = require("socket.io-msgpack-parser");

const seen = [];
const socket = io(url, {
  transports: ["websocket"],
  parser,
  reconnection: false,
  auth: { token, protocol: 1, microphone: false, camera: false },
});

function finish() {
  console.log(JSON.stringify(seen));
  process.exit(0);
}

socket.on("connect_error", (error) => {
  seen.push(["connect_error", error.message, error.data]);
  finish();
});
socket.on("event", (message) => seen.push(["event", message]));
socket.on("notice", (notice) => seen.push(["notice", notice]));
socket.on("disconnect", (reason) => {
  seen.push(["disconnect", reason]);
  finish();
});
socket.on("connect", () => {
  socket.emit("command", { id: "1", command: { type: "send_chat", text: "Grüße 🙂" } }, (answer) => {
    seen.push(["ack", answer]);
    socket.emit("command", { id: "2", command: { type: "no_such_thing" } }, (refusal) => {
      seen.push(["ack", refusal]);
      socket.emit("command", { id: "3", command: { type: "leave" } }, (left) => seen.push(["ack", left]));
    });
  });
});
