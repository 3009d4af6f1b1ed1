// SPDX-License-Identifier: Apache-2.0

/** Restriction identifiers of the camera's layers (RFC 8851), smallest first: quarter, half and full of the capture. */
export const RIDS = ["q", "h", "f"] as const;

/** What one layer is told to be; the browser may send less when the link or the processor does not bear it. */
export interface Layer {
  readonly active: boolean;
  readonly scaleResolutionDownBy: number;
  readonly maxBitrate: number;
  readonly maxFramerate: number;
}

/** Capture heights (short side, in pixels) from which on Chromium sends three and two layers of a camera at all. */
const THREE_LAYERS_FROM = 540;
const TWO_LAYERS_FROM = 270;

/** A face in a quarter of the frame is told apart at this rate, and it is what a workshop of hundreds is budgeted with. */
const THUMBNAIL_FPS = 15;
const FULL_FPS = 30;

/** A single encoding goes to everybody, whatever their link. */
const ONE_FOR_ALL_BPS = 400_000;

/** Bits per second for a talking head of this height in VP8, between the measured heights in proportion to the area. */
function bitrateFor(height: number): number {
  return Math.round(Math.min(900_000, Math.max(80_000, 3.1 * height * height)) / 10_000) * 10_000;
}

/**
 * The layers for a capture whose short side is `height` pixels (0: not known yet), smallest first, `count` of them.
 *
 * Chromium drops the LAST layers of a capture it finds too small for all of them, whatever their scale says: three
 * layers of 640x360 would end at 320x180. So a smaller capture gets fewer layers, and the largest of them is the
 * capture itself. With one encoding only, as after an answer without simulcast, that one is the whole picture.
 */
export function layersFor(height: number, count: number = RIDS.length): readonly Layer[] {
  const useful = Math.min(count, height === 0 || height >= THREE_LAYERS_FROM ? 3 : height >= TWO_LAYERS_FROM ? 2 : 1);
  const known = height || THREE_LAYERS_FROM;
  return Array.from({ length: count }, (_, index) => {
    const scaleResolutionDownBy = 2 ** Math.max(0, useful - 1 - index);
    const maxFramerate = scaleResolutionDownBy === 4 ? THUMBNAIL_FPS : FULL_FPS;
    const maxBitrate = Math.min(bitrateFor(known / scaleResolutionDownBy), count === 1 ? ONE_FOR_ALL_BPS : Infinity);
    return { active: index < useful, scaleResolutionDownBy, maxBitrate, maxFramerate };
  });
}

/** For `addTransceiver`, before any camera is known. */
export function offeredEncodings(): RTCRtpEncodingParameters[] {
  return layersFor(0).map((layer, index) => ({ rid: RIDS[index] as string, ...layer }));
}

/** The device's means as far as a browser tells them; undefined: it does not. */
export interface Means {
  readonly cores: number | undefined;
  /** The main pointer is a finger. */
  readonly touch: boolean;
  /** The person asked their browser to save data. */
  readonly saveData: boolean;
}

/**
 * What to ask of the camera.
 *
 * 960x540 is the smallest capture that gives three layers (135, 270, 540 lines), which fit a thumbnail, a tile of twelve
 * and a spotlight. Phones, weak processors and savers of data capture 640x360 and send two (180, 360): half the pixels
 * to encode and a third of the bits, and still as many lines as the tile on the phone at the other end has.
 */
export function captureFor({ cores, touch, saveData }: Means): MediaTrackConstraints {
  const small = touch || saveData || (cores !== undefined && cores <= 2);
  const [width, height] = small ? [640, 360] : [960, 540];
  return { width: { ideal: width }, height: { ideal: height }, frameRate: { ideal: 20, max: 30 } };
}
