// SPDX-License-Identifier: Apache-2.0

const FEEDBACK = /^a=rtcp-fb:(\d+) /;

/**
 * A description without feedback lines for payload types that its media sections do not have (RFC 4585 section 4.2).
 *
 * Firefox offers them after `setCodecPreferences`, and Chromium takes no offer that has them.
 */
export function withoutStrayFeedback(sdp: string): string {
  let listed: readonly string[] = [];
  const kept = sdp.split("\r\n").filter((line) => {
    if (line.startsWith("m=")) listed = line.split(" ").slice(3);
    const [, payloadType] = FEEDBACK.exec(line) ?? [];
    return payloadType === undefined || listed.includes(payloadType);
  });
  return kept.join("\r\n");
}
