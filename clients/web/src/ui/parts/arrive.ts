// SPDX-License-Identifier: Apache-2.0

/** Whoever comes to a new page begins at its heading. For use as an attachment on one with `tabindex="-1"`. */
export function arrive(heading: HTMLElement): void {
  heading.focus();
}
