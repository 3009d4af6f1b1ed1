// SPDX-License-Identifier: Apache-2.0

/** Frames buffered before a change of source go on being painted for up to this long. */
const STALE_MS = 200;

/**
 * Calls `shown` at the first frame that was received after `changedMs` (page clock), so that nobody sees a frame of
 * the person who was in this slot before. Returns how to stop waiting.
 */
export function whenFirstFrame(video: HTMLVideoElement, changedMs: number, shown: () => void): () => void {
  if (!("requestVideoFrameCallback" in video)) return whenPlaying(video, shown);
  let handle = 0;
  const check: VideoFrameRequestCallback = (now, frame) => {
    const fresh = frame.receiveTime === undefined ? now - changedMs > STALE_MS : frame.receiveTime >= changedMs;
    if (fresh) shown();
    else handle = video.requestVideoFrameCallback(check);
  };
  handle = video.requestVideoFrameCallback(check);
  return () => video.cancelVideoFrameCallback(handle);
}

function whenPlaying(video: HTMLVideoElement, shown: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const playing = (): void => {
    timer ??= setTimeout(shown, STALE_MS);
  };
  video.addEventListener("timeupdate", playing);
  return () => {
    video.removeEventListener("timeupdate", playing);
    clearTimeout(timer);
  };
}
