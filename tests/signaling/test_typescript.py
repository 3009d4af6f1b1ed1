# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from server.rooms.commands import DraftPlan
from server.rooms.state import PlannedRoom, RoomView
from server.signaling import typescript
from server.signaling.messages import CommandFrame, Connect, Welcome
from server.signaling.schema import expression, struct_schema


def test_types_are_up_to_date() -> None:
    """The web client's types are what the structs say today."""
    assert typescript.main(["--check"]) == 0, "run: python -m server.signaling.typescript"


def test_check_notices_a_stale_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that differs in one character is stale."""
    target = tmp_path / "messages.ts"
    monkeypatch.setattr(typescript, "TARGET", target)
    assert typescript.main(["--check"]) == 1
    typescript.main([])
    assert typescript.main(["--check"]) == 0
    target.write_text(target.read_text() + " ")
    assert typescript.main(["--check"]) == 1


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        (RoomView, "RoomView"),
        (str | None, "string | null"),
        (tuple[int, ...], "readonly number[]"),
        (tuple[str | None, ...], "readonly (string | null)[]"),
        (dict[str, tuple[bool, ...]], "Readonly<Record<string, readonly boolean[]>>"),
    ],
)
def test_hints_become_typescript(hint: object, expected: str) -> None:
    """Each kind of hint that messages use has one translation."""
    assert expression(hint) == expected


def test_defaults_may_be_left_out_by_clients_only() -> None:
    """A client may omit what has a default; what the server sends is always complete."""
    assert {item.name for item in struct_schema(Connect).fields if not item.optional} == {"token", "protocol"}
    assert not any(item.optional for item in struct_schema(Welcome).fields)
    assert not any(item.optional for item in struct_schema(PlannedRoom).fields)


def test_limits_are_said_wherever_they_stand() -> None:
    """Of a text that may be left out, and of each item of a list."""
    assert {item.name: item.limits for item in struct_schema(Connect).fields}["name"].endswith("at most 40 characters")
    assert "each at least 1 characters" in {item.name: item.limits for item in struct_schema(DraftPlan).fields}["names"]


def test_unions_are_called_by_their_names() -> None:
    """A field that holds any client command says so, instead of listing seventy of them."""
    types = {item.name: item.type for item in struct_schema(CommandFrame).fields}
    assert types == {"id": "CommandId", "command": "ClientCommand"}
    assert {item.name: item.type for item in struct_schema(Welcome).fields}["tail"] == "readonly Event[] | null"
