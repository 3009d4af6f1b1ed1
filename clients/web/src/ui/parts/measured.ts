// SPDX-License-Identifier: Apache-2.0

/** The camera's usual ratio: in a tile that is wider, the picture is as high as this makes it, and cut off. */
const PICTURE_RATIO = 16 / 9;
/** What is about to be scrolled into view counts as seen, so that its picture is there when it comes. */
const AHEAD = "30% 0%";

/** Tells the height in device pixels that a picture covering this element has; 0 while it is out of view. */
export function measured(element: HTMLElement, tell: (pixels: number) => void): () => void {
  let seen = false;
  const report = (): void => {
    const height = Math.max(element.clientHeight, element.clientWidth / PICTURE_RATIO);
    tell(seen ? Math.max(1, Math.round(height * devicePixelRatio)) : 0);
  };
  const view = new IntersectionObserver(
    (entries) => {
      seen = entries.at(-1)?.isIntersecting ?? false;
      report();
    },
    { rootMargin: AHEAD },
  );
  const size = new ResizeObserver(report);
  view.observe(element);
  size.observe(element);
  return () => {
    view.disconnect();
    size.disconnect();
    tell(0);
  };
}
