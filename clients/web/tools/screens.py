# SPDX-License-Identifier: Apache-2.0
"""Open every fixture screen in Chromium, run axe-core on it, look for sideways scrolling, and take its picture.

    npm run build:fixtures && python tools/screens.py [--pictures FOLDER] [--quick] [SCREEN ...]

Exit status 1 when a screen has a violation. `audit()` is for test suites. The pages are served under the content
security policy of the server; a violation of it counts too.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

ROOT: Final = Path(__file__).parents[1]
BUILD: Final = ROOT / "dist-fixtures"
AXE: Final = ROOT / "node_modules" / "axe-core" / "axe.min.js"
POLICY: Final = "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
TAGS: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SIZES: Final = {"320x640": (320, 640), "320x200": (320, 200), "1280x800": (1280, 800)}
"""A phone, a common screen at 400 %, a computer."""
SCHEMES: Final = ("light", "dark", "forced")
WAIT_MS: Final = 15_000


@dataclass(frozen=True)
class Look:
    """One way to look at a screen."""

    screen: str
    size: str
    scheme: str
    lang: str

    def __str__(self) -> str:
        return f"{self.screen}-{self.size}-{self.scheme}-{self.lang}"


class _Handler(SimpleHTTPRequestHandler):
    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", POLICY)
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401  the signature of the base class
        """Say nothing for each request."""


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401  the signature of the base class
        """A page that was closed early is no error of ours."""


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The folder on a free port of this machine; yields its address."""
    server = _Server(("127.0.0.1", 0), partial(_Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def audit(browser: Browser, address: str, look: Look, pictures: Path | None = None) -> list[str]:
    """What is wrong with this screen; empty: nothing."""
    context = browser.new_context(
        viewport={"width": SIZES[look.size][0], "height": SIZES[look.size][1]},
        color_scheme="dark" if look.scheme == "dark" else "light",
        forced_colors="active" if look.scheme == "forced" else "none",
        reduced_motion="reduce",
        bypass_csp=False,
    )
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(f"error: {error}"))
    page.on("console", lambda message: problems.extend(_complaint(message)))
    try:
        page.goto(f"{address}/fixtures.html?screen={look.screen}&lang={look.lang}")
        page.wait_for_selector("html[data-ready]", state="attached", timeout=WAIT_MS)
        if pictures is not None:
            page.screenshot(path=pictures / f"{look}.png")
        problems += _axe(page) + _sideways(page)
    except PlaywrightTimeoutError:
        problems.append("never became ready")
    finally:
        context.close()
    return problems


def _complaint(message: ConsoleMessage) -> list[str]:
    return [f"console: {message.text}"] if message.type == "error" else []


def _axe(page: Page) -> list[str]:
    page.evaluate(AXE.read_text(encoding="utf-8") + ";0")
    found = page.evaluate("tags => axe.run({runOnly: tags})", TAGS)
    return [
        f"axe {rule['id']}: {rule['help']}: " + "; ".join(json.dumps(node["target"]) for node in rule["nodes"][:3])
        for rule in found["violations"]
    ]


def _sideways(page: Page) -> list[str]:
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return [f"{wide} px wider than the window"] if wide > 0 else []


def screen_names(browser: Browser, address: str) -> list[str]:
    """All fixture screens, told by the page itself."""
    page = browser.new_page()
    page.goto(f"{address}/fixtures.html?screen=left")
    names: list[str] = page.evaluate("window.fixtureScreens")
    page.close()
    return names


def looks(names: list[str], *, quick: bool) -> list[Look]:
    """All combinations; `quick`: each size and each scheme once, in both languages."""
    if quick:
        each = (("320x640", "dark", "es"), ("320x200", "light", "es"), ("1280x800", "forced", "en"))
        return [Look(name, *how) for name in names for how in each]
    return [Look(*values) for values in product(names, SIZES, SCHEMES, ("en", "es"))]


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("screens", nargs="*")
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if options.pictures:
        options.pictures.mkdir(parents=True, exist_ok=True)
    failed = 0
    with sync_playwright() as playwright, serving(BUILD) as address:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        )
        chosen = looks(options.screens or screen_names(browser, address), quick=options.quick)
        for look in chosen:
            problems = audit(browser, address, look, options.pictures)
            failed += bool(problems)
            for problem in problems:
                sys.stdout.write(f"{look}: {problem}\n")
        browser.close()
    sys.stdout.write(f"{len(chosen)} looks, {failed} with problems\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
