# SPDX-License-Identifier: Apache-2.0
"""Writes the failover report of the documentation: three nodes, one killed, one drained; and two pictures of it.

Takes two minutes, on a machine that does nothing else: `python scripts/failover.py`.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from playwright.async_api import Browser, async_playwright

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = ROOT / "docs" / "reports" / "failover.html"
IMAGES: Final = ROOT / "docs" / "images"
CHROMIUM: Final = "/usr/bin/chromium"
WIDTH: Final = 1100
TOP: Final = 1240
"""Pixels: the verdict, what was required, the percentiles."""


def main() -> None:
    """Run it, keep the report, take the pictures. The report is kept only if the run passed."""
    # What it is told to write stands in it: the command to repeat it shall be one that others can use.
    with tempfile.TemporaryDirectory() as folder:
        program = str(Path(sys.executable).with_name("holdspace"))
        command = [program, "loadtest", "run", "failover", "--html", "failover.html"]
        subprocess.run(command, cwd=folder, check=True)  # noqa: S603 - our own command
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_bytes((Path(folder) / "failover.html").read_bytes())
    asyncio.run(_pictures())


async def _pictures() -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        await _picture(browser, "light", "load-failover.png", None)
        await _picture(browser, "dark", "load-failover-dark.png", ("#latency-moves", "#latency-signaling", "#cpu"))
        await browser.close()


async def _picture(browser: Browser, scheme: str, name: str, figures: tuple[str, ...] | None) -> None:
    """The top of the page, or only these figures of it."""
    page = await browser.new_page(viewport={"width": WIDTH, "height": TOP}, color_scheme=scheme)  # type: ignore[arg-type]
    await page.goto(PAGE.as_uri())
    await page.locator("figure canvas").first.wait_for()
    if figures is None:
        await page.screenshot(path=IMAGES / name)
    else:
        others = "".join(f":not({figure})" for figure in figures)
        hide = f"main > :not(figure), main > figure{others} {{ display: none !important }}"
        await page.add_style_tag(content=hide)
        await page.locator("main").screenshot(path=IMAGES / name)
    await page.close()


if __name__ == "__main__":
    main()
