// SPDX-License-Identifier: Apache-2.0
import { Frames } from "./firstFrame.ts";

/** A video element, and what it has painted. */
export interface Screen {
  readonly video: HTMLVideoElement;
  readonly frames: Frames;
}

/**
 * One video element for each received track, made once and always playing, in the tile that shows it or parked.
 *
 * A new element takes its time to begin and misses the frame that came meanwhile; after a move that frame is the one
 * that everybody waits for.
 */
const screens = new Map<MediaStreamTrack, Screen>();
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

/** Exactly these tracks have elements from now on. */
export function keepVideos(tracks: readonly MediaStreamTrack[]): void {
  for (const [track, { video }] of screens) {
    if (tracks.includes(track)) continue;
    video.srcObject = null;
    video.remove();
    screens.delete(track);
  }
  for (const track of tracks) if (!screens.has(track)) park(screenOf(track));
}

export function screenOf(track: MediaStreamTrack): Screen {
  const known = screens.get(track);
  if (known) return known;
  const video = make(track);
  const screen = { video, frames: new Frames(video) };
  screens.set(track, screen);
  return screen;
}

/** What a phone call or a sleep has paused goes on. */
export function playVideos(): void {
  for (const { video } of screens.values()) if (video.paused) play(video);
}

/** Into the tile that shows it. */
export function place({ video }: Screen, tile: HTMLElement): void {
  bring(video, tile);
}

/** Out of sight; unless another tile has taken it already. */
export function park({ video, frames }: Screen, from?: HTMLElement): void {
  if (from && video.parentElement !== from) return;
  bring(video, parkingPlace());
  frames.parked();
}

function bring(video: HTMLVideoElement, place: HTMLElement): void {
  place.append(video);
  play(video);
}

/** A muted video may always play; a rejection only means that it was moved meanwhile. */
function play(video: HTMLVideoElement): void {
  video.play().catch(() => undefined);
}
