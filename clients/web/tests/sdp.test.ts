// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { withoutStrayFeedback } from "../src/core/sdp.ts";

const lines = (...all: string[]): string => `${all.join("\r\n")}\r\n`;

test("feedback stays for the codecs of its own media section only", () => {
  const offered = lines(
    "v=0",
    "m=audio 9 UDP/TLS/RTP/SAVPF 109",
    "a=rtcp-fb:109 transport-cc",
    "a=rtcp-fb:120 nack",
    "m=video 0 UDP/TLS/RTP/SAVPF 120 124",
    "a=rtcp-fb:120 nack pli",
    "a=rtcp-fb:12 nack",
    "a=rtcp-fb:121 nack pli",
    "a=rtpmap:120 VP8/90000",
  );
  expect(withoutStrayFeedback(offered)).toBe(
    lines(
      "v=0",
      "m=audio 9 UDP/TLS/RTP/SAVPF 109",
      "a=rtcp-fb:109 transport-cc",
      "m=video 0 UDP/TLS/RTP/SAVPF 120 124",
      "a=rtcp-fb:120 nack pli",
      "a=rtpmap:120 VP8/90000",
    ),
  );
});
