// SPDX-License-Identifier: Apache-2.0
import { Media, type MediaPorts } from "./media.ts";
import { Mesh, type MeshPorts } from "./mesh.ts";
import { later, newId, now } from "./runtime.ts";

const createPeer = (config: RTCConfiguration): RTCPeerConnection | null =>
  "RTCPeerConnection" in globalThis ? new RTCPeerConnection(config) : null;

function codecs(kind: "audio" | "video"): readonly RTCRtpCodec[] | null {
  return RTCRtpReceiver.getCapabilities(kind)?.codecs ?? null;
}

/** Sound and picture by way of the server, on this browser's own WebRTC. */
export function browserMedia(sendOffer: MediaPorts["sendOffer"]): Media {
  const firstOffer = crypto.getRandomValues(new Uint32Array(1))[0] ?? 1;
  return new Media({ createPeer, codecs, sendOffer, firstOffer, now, later });
}

/** The same, straight to the one other person of a room for two. */
export function browserMesh(signal: MeshPorts["signal"], shown: Pick<Media, "state" | "slots">): Mesh {
  return new Mesh({ createPeer, codecs, signal, newName: newId, now, later }, shown);
}
