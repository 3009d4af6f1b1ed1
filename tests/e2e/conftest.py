# SPDX-License-Identifier: Apache-2.0
"""A server, browsers and people for every test that wants them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, async_playwright

from tests.e2e.firefox import running as firefox_running
from tests.e2e.person import Person, launch
from tests.e2e.serving import Server

PICTURES = Path(__file__).parents[2] / "build" / "e2e"
_FAILED: pytest.StashKey[bool] = pytest.StashKey()
_REPORTED: pytest.StashKey[list[str]] = pytest.StashKey()

Meet = Callable[..., Coroutine[Any, Any, Person]]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember a failure until the browsers are closed, for the pictures."""
    report = yield
    if call.when == "call":
        item.stash[_FAILED] = report.failed
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What was measured stands at the end of the run."""
    for line in config.stash.get(_REPORTED, []):
        terminalreporter.write_line(line)


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Say a measured figure at the end of the run."""
    return request.config.stash.setdefault(_REPORTED, []).append


@pytest.fixture
def options() -> tuple[str, ...]:
    """Further options of `holdspace serve`; a module may have its own."""
    return ()


@pytest.fixture
async def server(tmp_path: Path, options: tuple[str, ...]) -> AsyncIterator[Server]:
    """A fresh `holdspace serve`."""
    async with Server(tmp_path, *options) as running:
        yield running


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Chromium that plays sound without a press."""
    async with async_playwright() as playwright:
        running = await launch(playwright)
        yield running
        await running.close()


@pytest.fixture
async def firefox(tmp_path: Path) -> AsyncIterator[Browser]:
    """Firefox, as Debian has it."""
    async with async_playwright() as playwright, firefox_running(playwright, tmp_path) as running:
        yield running


@pytest.fixture
async def meet(browser: Browser, request: pytest.FixtureRequest) -> AsyncIterator[Meet]:
    """Makes people; when the test fails, what each of them saw is kept under build/e2e/."""
    everyone: list[Person] = []

    async def make(
        name: str,
        *,
        where: Browser = browser,
        size: tuple[int, int] = (320, 180),
        fps: int = 10,
        locale: str = "en-US",
        measured: bool = False,
    ) -> Person:
        person = await Person.create(where, name, size=size, fps=fps, locale=locale, measured=measured)
        everyone.append(person)
        return person

    yield make
    if request.node.stash.get(_FAILED, False):
        PICTURES.mkdir(parents=True, exist_ok=True)
        for person in (one for one in everyone if not one.page.is_closed()):
            await person.page.screenshot(path=PICTURES / f"{request.node.name}-{person.name}.png")
