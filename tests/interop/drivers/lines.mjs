// SPDX-License-Identifier: Apache-2.0
// The other side of `tests.interop.stack.Program`, for drivers that run on Node.
import { createInterface } from "node:readline";

/** Answers each line until asked to close. */
export async function serve(stack) {
  for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line);
    let answer = {};
    try {
      if (request.do === "offer") answer = { sdp: await stack.offer(request.restart) };
      else if (request.do === "answer") await stack.answer(request.sdp);
      else if (request.do === "stats") answer = { state: stack.state(), received: await stack.received() };
      else await stack.close();
    } catch (error) {
      answer = { error: String(error) };
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`);
    if (request.do === "close") process.exit(0);
  }
}

/** Of a stack that hands over packets: what came in each line that receives. */
export class Tally {
  lines = [];

  add(kind) {
    const line = { kind, packets: 0, frames: 0 };
    this.lines.push(line);
    return line;
  }
}

/** Sends a clip (see `clip.py`) without end, as RTP packets: `voice` and `camera` each take a Buffer. */
export class Sender {
  constructor(clip, voice, camera) {
    this.timers = [
      setInterval(() => this.speak(clip.audio, voice), 20),
      setInterval(() => this.show(clip.video, camera), 66),
    ];
    this.sounds = 0;
    this.pictures = 0;
    this.sequence = { [voice.ssrc]: 100, [camera.ssrc]: 200 };
  }

  speak(sounds, line) {
    const number = this.sounds++;
    line.send(this.packet(line, Buffer.from(sounds[number % sounds.length], "base64"), number * 960, number === 0));
  }

  show(pictures, line) {
    const number = this.pictures++;
    const payloads = pictures[number % pictures.length];
    payloads.forEach((payload, index) =>
      line.send(this.packet(line, Buffer.from(payload, "base64"), number * 6000, index === payloads.length - 1)),
    );
  }

  packet(line, payload, timestamp, marker) {
    const header = Buffer.alloc(12);
    header[0] = 0x80;
    header[1] = line.payloadType | (marker ? 0x80 : 0);
    header.writeUInt16BE(this.sequence[line.ssrc]++ & 0xffff, 2);
    header.writeUInt32BE(timestamp >>> 0, 4);
    header.writeUInt32BE(line.ssrc, 8);
    return Buffer.concat([header, payload]);
  }

  stop() {
    this.timers.forEach(clearInterval);
  }
}
