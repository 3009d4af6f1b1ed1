// SPDX-License-Identifier: Apache-2.0

/** Ten times a second: it follows the voice without flickering. */
const LOOK_MS = 100;
const SAMPLES = 1024;
/** Of a quiet room, and of a loud voice, in decibels below full scale. */
const QUIET_DB = -60;
const LOUD_DB = -15;

/** How loud these samples (-1 to 1) are, from 0 (a quiet room or less) to 1 (a loud voice or more). */
export function loudness(samples: Float32Array): number {
  const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
  const level = 10 * Math.log10(power);
  return Math.min(1, Math.max(0, (level - QUIET_DB) / (LOUD_DB - QUIET_DB)));
}

/**
 * Tells the loudness of this track until it is stopped. Nothing leaves the page. Silent where the browser has no Web
 * Audio, or does not let it run.
 */
export function watchLevel(track: MediaStreamTrack, tell: (level: number) => void, page: Pick<Window & typeof globalThis, "AudioContext" | "setInterval" | "clearInterval">): () => void {
  if (!("AudioContext" in page)) return () => undefined;
  const audio = new page.AudioContext();
  const analyser = audio.createAnalyser();
  analyser.fftSize = SAMPLES;
  audio.createMediaStreamSource(new MediaStream([track])).connect(analyser);
  // Safari begins suspended unless it is made in the very handler of a press.
  if (audio.state === "suspended") void audio.resume();
  const samples = new Float32Array(SAMPLES);
  const looking = page.setInterval(() => {
    if (audio.state !== "running") return;
    analyser.getFloatTimeDomainData(samples);
    tell(loudness(samples));
  }, LOOK_MS);
  return () => {
    page.clearInterval(looking);
    void audio.close();
  };
}
