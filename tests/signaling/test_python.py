# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from server.signaling import python
from server.signaling.schema import StructSchema, definitions


def test_the_client_has_what_the_server_says_today() -> None:
    """The Python client's messages and fold are the server's."""
    assert python.main(["--check"]) == 0, "run: python -m server.signaling.python"


def test_check_notices_a_stale_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that differs, is missing, or should not be there makes the whole stale; writing mends it."""
    target = tmp_path / "protocol"
    monkeypatch.setattr(python, "TARGET", target)
    assert python.main(["--check"]) == 1
    python.main([])
    assert python.main(["--check"]) == 0
    (target / "ids.py").write_text((target / "ids.py").read_text() + " ")
    assert python.main(["--check"]) == 1
    shutil.copy(target / "errors.py", target / "left_over.py")
    python.main([])
    assert python.main(["--check"]) == 0
    assert not (target / "left_over.py").exists()


def test_every_message_is_there() -> None:
    """Whatever TypeScript knows, Python knows under the same name."""
    names = {name for _, name in python.reached()}
    structs = {item.name for item in definitions() if isinstance(item, StructSchema)}
    assert len(structs) > 100
    assert structs <= names


def test_what_decides_or_stores_stays_behind() -> None:
    """The client gets messages and the fold, not the room's rules, its log or its secrets."""
    modules = {module for module, _ in python.reached()}
    assert not modules & {"server.rooms.decide", "server.rooms.roles", "server.rooms.view", "server.signaling.tokens"}
    assert not {"RoomLog", "MediaPlane", "decide", "GRANTS", "view_of"} & {name for _, name in python.reached()}
