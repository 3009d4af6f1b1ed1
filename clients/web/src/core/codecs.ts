// SPDX-License-Identifier: Apache-2.0

/**
 * What we send, most wanted first: one codec of each kind, which everybody can receive. RED carries each piece of sound
 * twice (RFC 2198): at 5 % loss 0.2 % of it has to be made up instead of 5.8 %.
 */
const SENT = ["audio/red", "audio/opus", "video/vp8", "video/rtx"];

/** Received from other clients as they have it, but asked for after VP8, which has simulcast everywhere. */
const RECEIVED = ["video/vp9", "video/h264"];

/** Of the many profiles those that everybody has: VP9 profile 0, and H.264 constrained baseline in mode 1 (RFC 6184). */
const PROFILES = /profile-id=0|(?=.*packetization-mode=1).*profile-level-id=42e0/i;

const EXTENSIONS: readonly string[] = [
  "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
  "urn:ietf:params:rtp-hdrext:sdes:mid",
  "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
  "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
  "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
];

/** The codecs of one line, most wanted first; the rest of what a browser has would make the offer three times as long. */
export function wantedCodecs(codecs: readonly RTCRtpCodec[], direction: "sendonly" | "recvonly"): RTCRtpCodec[] {
  const type = (codec: RTCRtpCodec): string => codec.mimeType.toLowerCase();
  const basic = SENT.flatMap((wanted) => codecs.filter((codec) => type(codec) === wanted));
  if (direction === "sendonly") return basic;
  const other = codecs.filter((codec) => RECEIVED.includes(type(codec)) && PROFILES.test(codec.sdpFmtpLine ?? ""));
  return [...basic, ...other];
}

/** WebRTC Extensions, 2026: not in the type library, and not in every browser. */
interface NegotiatesExtensions {
  getHeaderExtensionsToNegotiate?(): { uri: string; direction: RTCRtpTransceiverDirection }[];
  setHeaderExtensionsToNegotiate?(extensions: { uri: string; direction: RTCRtpTransceiverDirection }[]): void;
}

/**
 * Leaves out the header extensions that the server strips anyhow.
 *
 * Without the one for rotation the browser turns the picture of a phone upright before it encodes it.
 */
export function trimExtensions(line: RTCRtpTransceiver & NegotiatesExtensions): void {
  const all = line.getHeaderExtensionsToNegotiate?.();
  line.setHeaderExtensionsToNegotiate?.(
    all?.map((item) => (EXTENSIONS.includes(item.uri) ? item : { ...item, direction: "stopped" })) ?? [],
  );
}
