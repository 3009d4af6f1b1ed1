// SPDX-License-Identifier: Apache-2.0

/**
 * One video element for each received track, made once and always playing, in the tile that shows it or parked.
 *
 * A new element takes its time to begin and misses the frame that came meanwhile; after a move that frame is the one
 * that everybody waits for.
 */
const elements = new Map<MediaStreamTrack, HTMLVideoElement>();
let parking: HTMLElement | null = null;

/** In the document, since a video outside of it is paused. */
function parkingPlace(): HTMLElement {
  if (parking?.isConnected) return parking;
  parking = document.createElement("div");
  parking.className = "parked";
  parking.setAttribute("aria-hidden", "true");
  document.body.append(parking);
  return parking;
}

function make(track: MediaStreamTrack): HTMLVideoElement {
  const video = document.createElement("video");
  video.muted = true;
  video.playsInline = true;
  video.autoplay = true;
  video.disablePictureInPicture = true;
  video.tabIndex = -1;
  // Decorative for screen readers: the tile around it has the name.
  video.setAttribute("aria-hidden", "true");
  video.srcObject = new MediaStream([track]);
  return video;
}

function play(video: HTMLVideoElement): void {
  // A muted video may always play; a rejection only means that it was moved meanwhile.
  video.play().catch(() => undefined);
}

/** Exactly these tracks have elements from now on. */
export function keepVideos(tracks: readonly MediaStreamTrack[]): void {
  for (const [track, video] of elements) {
    if (tracks.includes(track)) continue;
    video.srcObject = null;
    video.remove();
    elements.delete(track);
  }
  for (const track of tracks) if (!elements.has(track)) park(videoOf(track));
}

export function videoOf(track: MediaStreamTrack): HTMLVideoElement {
  let video = elements.get(track);
  if (!video) elements.set(track, (video = make(track)));
  return video;
}

/** Into the tile that shows it. */
export function place(video: HTMLVideoElement, tile: HTMLElement): void {
  tile.append(video);
  play(video);
}

/** Out of sight; unless another tile has taken it already. */
export function park(video: HTMLVideoElement, from?: HTMLElement): void {
  if (from && video.parentElement !== from) return;
  parkingPlace().append(video);
  play(video);
}
