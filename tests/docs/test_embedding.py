# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path
from typing import Any

import pytest

from loadtest.serving import free_port, own_server
from server.rooms.state import Role
from server.signaling.tokens import TokenKey, verify
from tests.signaling.clients import SECRET

PAGE = (Path(__file__).parents[2] / "docs" / "embed.md").read_text(encoding="utf-8")


@pytest.mark.timeout(60)
async def test_the_example_makes_links(tmp_path: Path) -> None:
    """The code of the page, as it stands there, makes a link that is good for that person in that room."""
    (code,) = re.findall(r"(?s)```python\n(.*?)```", PAGE)
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    key = TokenKey("holdspace", SECRET)
    async with own_server(free_port(), "--data-dir", str(tmp_path), "--log-level", "error", key=key) as server:
        code = code.replace("https://groups.example.org", server.url).replace("/etc/holdspace", str(tmp_path))
        names: dict[str, Any] = {}
        exec(compile(code, "embed.md", "exec"), names)  # noqa: S102 - our own page
        url = await asyncio.to_thread(names["link"], "appt-1", "u-1", "Sam")
    address, _, token = url.partition("/#")
    claims = verify(key, token, int(time.time()))
    assert address.startswith("http://")
    assert (claims.room, claims.sub, claims.name, claims.role) == ("appt-1", "u-1", "Sam", Role.PARTICIPANT)
