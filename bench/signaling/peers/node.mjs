// SPDX-License-Identifier: Apache-2.0
// Node's Socket.IO as its documentation has it: a room per session, every command told to the room and answered.
import { createServer } from "node:http";
import { createRequire } from "node:module";

const require = createRequire(process.argv[2]);
const { Server } = require("socket.io");
const parser = require("socket.io-msgpack-parser");

const http = createServer();
const options = { parser, transports: ["websocket"], perMessageDeflate: false };
if (process.argv[4]) {
  const { createAdapter } = require("@socket.io/redis-adapter");
  const { createClient } = require("redis");
  const publish = createClient({ url: process.argv[4] });
  const subscribe = publish.duplicate();
  await Promise.all([publish.connect(), subscribe.connect()]);
  options.adapter = createAdapter(publish, subscribe);
}
const io = new Server(http, options);
let seq = 0;

io.on("connection", (socket) => {
  const { room } = socket.handshake.auth;
  socket.join(room);
  socket.emit("event", { type: "welcome", room });
  socket.on("command", ({ command }, answer) => {
    seq += 1;
    if (command.quiet !== true) {
      const event = { type: command.type, participant: socket.id, on: command.on };
      io.to(room).emit("event", { type: "events", epoch: 1795299334000, first: seq, last: seq, now_ms: seq, events: [event] });
    }
    answer({ type: "ok", seq });
  });
});

http.listen(Number(process.argv[3]), "127.0.0.1", () => console.log("ready"));
