# SPDX-License-Identifier: Apache-2.0
"""What a person sees right now, in several sizes and colour schemes: axe-core, and what axe-core does not look at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from tests.e2e.person import Person

AXE: Final = Path(__file__).parents[2] / "clients" / "web" / "node_modules" / "axe-core" / "axe.min.js"
TAGS: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
WIDER: Final = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
PHONE_PX: Final = 480
FINGER_PX: Final = 44
_CONTROLS: Final = "button, select, input, textarea, summary, [role=log]"
_SMALL: Final = """([controls, least]) => [...document.querySelectorAll(controls)].flatMap((control) => {
    const behind = document.querySelector(':modal')?.contains(control) === false;
    if (behind || control.matches('[inert] *, .visually-hidden') || !control.checkVisibility()) return [];
    const { width, height } = (control.closest('label') ?? control).getBoundingClientRect();
    return Math.min(width, height) > least - 0.5 ? [] : [`${control.dataset.testid} ${width}x${height}`];
})"""
# What can have the focus is not under a panel (WCAG 2.4.11).
_UNDER_A_PANEL: Final = """(controls) => [...document.querySelectorAll(controls)].flatMap((control) => {
    const away = '[inert] *, #panel *, .visually-hidden:not(:focus)'; // the last is drawn when it has the focus
    if (control.matches(away) || !control.checkVisibility()) return [];
    const { left, top, width, height } = control.getBoundingClientRect();
    const seen = document.elementFromPoint(left + width / 2, top + height / 2);
    // An open menu goes as soon as the focus does; until then it may cover everything but the way out.
    const menu = seen?.closest(':popover-open') && !control.closest('[data-testid=safety]');
    return seen?.closest('#panel') && !menu ? [control.dataset.testid] : [];
})"""
# Two frames, so that what follows the size has been laid out.
_SETTLE: Final = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


class Look(NamedTuple):
    """One way to look at a screen."""

    width: int
    height: int
    scheme: Literal["light", "dark"]
    forced: bool = False
    """The person's own few colours, as with a contrast theme of Windows."""

    def __str__(self) -> str:
        return f"{self.width}x{self.height}-{self.scheme}{'-forced' if self.forced else ''}"


class Auditor:
    """Looks at screens, keeps their pictures in `pictures`, and collects what is wrong."""

    def __init__(self, looks: Sequence[Sequence[Look]], pictures: Path) -> None:
        """`looks`: those of the first screen, of the next, and so on, over and over."""
        self.problems: list[str] = []
        self.screens: list[str] = []
        self._looks = looks
        self._pictures = pictures
        pictures.mkdir(parents=True, exist_ok=True)

    async def look(self, person: Person, screen: str) -> None:
        """Audit what this person sees; afterwards the window has its old size again."""
        before = person.page.viewport_size
        looks = self._looks[len(self.screens) % len(self._looks)]
        self.screens.append(screen)
        for look in looks:
            await person.page.set_viewport_size({"width": look.width, "height": look.height})
            await person.page.emulate_media(
                color_scheme=look.scheme,
                reduced_motion="reduce",
                forced_colors="active" if look.forced else "none",
            )
            await person.page.evaluate(_SETTLE)
            await person.page.screenshot(path=self._pictures / f"{screen}-{look}.png")
            self.problems += [f"{screen} {look}: {fault}" for fault in await _faults(person, look)]
        if before is not None:
            await person.page.set_viewport_size(before)


async def _faults(person: Person, look: Look) -> list[str]:
    # As a script of the browser's debugger: the page's own content security policy stays in force.
    await person.page.evaluate(AXE.read_text(encoding="utf-8") + ";0")
    found: dict[str, Any] = await person.page.evaluate("tags => axe.run({ runOnly: tags })", TAGS)
    assert found["passes"], "axe-core looked at nothing"
    faults = [
        f"{rule['id']}: {rule['help']}: {[node['target'] for node in rule['nodes'][:3]]}"
        for rule in found["violations"]
    ]
    if look.width < PHONE_PX:
        faults += [f"too small to press: {one}" for one in await person.page.evaluate(_SMALL, [_CONTROLS, FINGER_PX])]
    faults += [f"under a panel: {one}" for one in await person.page.evaluate(_UNDER_A_PANEL, _CONTROLS)]
    wider: int = await person.page.evaluate(WIDER)
    return [*faults, f"{wider} px wider than the window"] if wider > 0 else faults
