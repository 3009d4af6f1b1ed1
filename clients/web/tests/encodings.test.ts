// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "vitest";
import { captureFor, layersFor } from "../src/core/encodings.ts";

const scales = (height: number, count?: number): (number | null)[] =>
  layersFor(height, count).map((layer) => (layer.active ? layer.scaleResolutionDownBy : null));

describe("layers of the camera", () => {
  test.each([
    [540, [4, 2, 1]],
    [720, [4, 2, 1]],
    [360, [2, 1, null]],
    [180, [1, null, null]],
    [0, [4, 2, 1]],
  ])("a capture of %i lines", (height, wanted) => {
    expect(scales(height)).toEqual(wanted);
  });

  test("one encoding is always the whole picture", () => {
    for (const height of [0, 180, 360, 540]) expect(scales(height, 1)).toEqual([1]);
  });

  test("a larger layer never has less bits or frames than a smaller one", () => {
    for (const height of [180, 270, 360, 540, 1080]) {
      const layers = layersFor(height).filter((layer) => layer.active);
      const [bits, frames] = [layers.map((layer) => layer.maxBitrate), layers.map((layer) => layer.maxFramerate)];
      expect(bits).toEqual([...bits].sort((a, b) => a - b));
      expect(frames).toEqual([...frames].sort((a, b) => a - b));
    }
  });

  test("all layers together stay within what a moderate uplink has", () => {
    const total = layersFor(540).reduce((sum, layer) => sum + layer.maxBitrate, 0);
    expect(total).toBeLessThan(1_300_000);
  });
});

describe("what is asked of the camera", () => {
  const desktop = { cores: 8, touch: false, saveData: false };

  test("three layers' worth where there is room, two where processor or link are small", () => {
    expect(captureFor(desktop).height).toEqual({ ideal: 540 });
    expect(captureFor({ ...desktop, cores: undefined }).height).toEqual({ ideal: 540 });
    for (const change of [{ touch: true }, { saveData: true }, { cores: 2 }]) {
      expect(captureFor({ ...desktop, ...change }).height).toEqual({ ideal: 360 });
    }
  });
});
