// SPDX-License-Identifier: Apache-2.0

/**
 * Keeps the screen on while somebody is in a session: a phone that goes dark puts the page to sleep, and whoever only
 * listens would be thought to have lost the connection. Returns how to stop.
 */
export function keepAwake({ document, navigator }: Pick<Window & typeof globalThis, "document" | "navigator">): () => void {
  const { wakeLock } = navigator as Partial<Navigator>;
  let stopped = false;
  let held: WakeLockSentinel | null = null;

  async function hold(): Promise<void> {
    // The browser lets go of it whenever the page is out of sight.
    if (stopped || !wakeLock || document.visibilityState !== "visible" || held?.released === false) return;
    try {
      const lock = await wakeLock.request("screen");
      if (stopped) return await lock.release();
      held = lock;
    } catch {
      // Refused, as with a low battery: the screen goes dark as it always does.
    }
  }

  const seen = (): void => void hold();
  document.addEventListener("visibilitychange", seen);
  seen();
  return () => {
    stopped = true;
    document.removeEventListener("visibilitychange", seen);
    void held?.release();
  };
}
