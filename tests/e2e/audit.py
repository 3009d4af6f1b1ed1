# SPDX-License-Identifier: Apache-2.0
"""axe-core on whatever a person sees right now, in two sizes and two colour schemes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from tests.e2e.person import Person

AXE: Final = Path(__file__).parents[2] / "clients" / "web" / "node_modules" / "axe-core" / "axe.min.js"
TAGS: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
WIDER: Final = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
# Two frames, so that what follows the size has been laid out.
_SETTLE: Final = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


class Look(NamedTuple):
    """One way to look at a screen."""

    width: int
    height: int
    scheme: Literal["light", "dark"]


class Auditor:
    """Looks at screens, keeps their pictures in `pictures`, and collects what is wrong."""

    def __init__(self, looks: Sequence[Look], pictures: Path) -> None:
        self.problems: list[str] = []
        self.screens: list[str] = []
        self._looks = looks
        self._pictures = pictures
        pictures.mkdir(parents=True, exist_ok=True)

    async def look(self, person: Person, screen: str) -> None:
        """Audit what this person sees; afterwards the window has its old size again."""
        before = person.page.viewport_size
        self.screens.append(screen)
        for look in self._looks:
            await person.page.set_viewport_size({"width": look.width, "height": look.height})
            await person.page.emulate_media(color_scheme=look.scheme, reduced_motion="reduce")
            await person.page.evaluate(_SETTLE)
            await person.page.screenshot(path=self._pictures / f"{screen}-{look.width}-{look.scheme}.png")
            self.problems += [f"{screen} {look.width} {look.scheme}: {fault}" for fault in await _faults(person)]
        if before is not None:
            await person.page.set_viewport_size(before)


async def _faults(person: Person) -> list[str]:
    # As a script of the browser's debugger: the page's own content security policy stays in force.
    await person.page.evaluate(AXE.read_text(encoding="utf-8") + ";0")
    found: dict[str, Any] = await person.page.evaluate("tags => axe.run({ runOnly: tags })", TAGS)
    assert found["passes"], "axe-core looked at nothing"
    faults = [
        f"{rule['id']}: {rule['help']}: {[node['target'] for node in rule['nodes'][:3]]}"
        for rule in found["violations"]
    ]
    wider: int = await person.page.evaluate(WIDER)
    return [*faults, f"{wider} px wider than the window"] if wider > 0 else faults
