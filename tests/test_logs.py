# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import ast
import logging
from pathlib import Path

import pytest
import structlog

from server import logs

CANARY = "canary-word"
LEVELS = {"debug", "info", "warning", "error"}


def keys_of_lines() -> dict[str, str]:
    """Every key that a line of the server's own log is given, with a place where it is."""
    found: dict[str, str] = {}
    for path in Path(logs.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(func=ast.Attribute(ast.Name("log" | "_log"), level), keywords=given) if level in LEVELS:
                    found |= {each.arg: f"{path.name}:{node.lineno}" for each in given if each.arg}
    return found


@pytest.fixture(autouse=True)
def _undone() -> object:
    """Other tests log as before."""
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.parametrize("as_json", [True, False])
def test_unknown_keys_are_dropped(capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    """Only keys on the list are written, whatever a line brings along."""
    logs.configure("debug", as_json=as_json)
    structlog.get_logger().info("hello", name=CANARY, sdp=CANARY, room="abc")
    line = capsys.readouterr().err
    assert "abc" in line
    assert CANARY not in line


def test_nothing_is_dropped_that_was_meant_to_be_written() -> None:
    """A warning that a server was lost would not say which one."""
    keys = keys_of_lines()
    assert {"room", "status", "node"} <= keys.keys()
    assert {key: place for key, place in keys.items() if key not in logs.PUBLIC_KEYS} == {}


def test_libraries_are_told_by_place(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither their messages nor the texts of their exceptions get through."""
    logs.configure("debug", as_json=True)
    try:
        raise ValueError(CANARY)
    except ValueError:
        logging.getLogger("aiohttp.server").exception("Error handling %s", CANARY)
    logging.getLogger("engineio").info("Received packet data %s", CANARY)
    written = capsys.readouterr().err
    assert "ValueError" in written
    assert "test_logs" in written
    assert CANARY not in written
    assert written.count("\n") == 1


def test_the_level_is_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    """Below it nothing is written."""
    logs.configure("warning", as_json=False)
    structlog.get_logger().info("quiet")
    structlog.get_logger().warning("loud")
    written = capsys.readouterr().err
    assert "quiet" not in written
    assert "loud" in written


def test_a_fault_shows_where_not_what() -> None:
    """Type and the last frames; locals and text stay inside."""
    with pytest.raises(KeyError) as caught:
        _fail(CANARY)
    told = logs.fault(caught.value)
    assert told["error"] == "KeyError"
    assert told["where"].startswith("test_logs._fail:")
    assert CANARY not in str(told)


def _fail(word: str) -> None:
    raise KeyError(word)


def test_a_digest_is_short_and_stable() -> None:
    """The same room is recognised in the log of every node, and cannot be read back."""
    assert logs.digest("grief-group") == logs.digest("grief-group")
    assert logs.digest("grief-group") != logs.digest("grief-grouq")
    assert len(logs.digest("x")) == 10
