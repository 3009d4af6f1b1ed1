# SPDX-License-Identifier: Apache-2.0
"""The report of a load test in a browser: one file, no network, both themes, a narrow window, and paper."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from msgspec.structs import replace
from playwright.async_api import Browser, Page

from loadtest.report.assets import assets
from loadtest.report.baseline import regressions
from loadtest.report.charts import distributions, over_time
from loadtest.report.html import to_html
from tests.e2e.audit import AXE, TAGS, WIDER
from tests.loadtest.report.runs import made

pytestmark = pytest.mark.e2e
DRAWN = """() => [...document.querySelectorAll("canvas")].filter((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return data.some((value) => value !== 0);
}).length"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A report with everything that one can have."""
    run = made("move_ms p95<10", "errors count<5", busy=95)
    run = replace(run, regressions=regressions(made().metrics, made(slower=2).metrics))
    path = tmp_path / "report.html"
    path.write_text(to_html(run, assets()))
    return path


@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_report_can_be_read_by_everybody(
    browser: Browser, file: Path, width: int, scheme: Literal["light", "dark"]
) -> None:
    """No axe violation, no sideways scrolling, all charts drawn, nothing fetched, nothing wrong in the console."""
    context = await browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = await context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: complaints.append(request.url) if request.url.startswith("http") else None)
    await page.goto(file.as_uri())
    run = made()
    assert await page.evaluate(DRAWN) == len(over_time(run)) + len(distributions(run))
    assert await _open_all(page) > 0
    await page.evaluate(AXE.read_text(encoding="utf-8") + ";0")
    found = await page.evaluate("tags => axe.run({ runOnly: tags })", TAGS)
    assert found["passes"]
    assert [(rule["id"], [node["target"] for node in rule["nodes"]]) for rule in found["violations"]] == []
    assert await page.evaluate(WIDER) <= 0
    assert complaints == []
    await context.close()


async def _open_all(page: Page) -> int:
    """What is folded is looked at, too."""
    return int(
        await page.evaluate(
            "() => [...document.querySelectorAll('details')].map((one) => { one.open = true; return one; }).length"
        )
    )
