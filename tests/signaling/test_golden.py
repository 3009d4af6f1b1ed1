# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import msgpack
import msgspec
import pytest

from server.signaling import tables
from tests.signaling.golden import FOLDER, INDEX, messages, read

EXPECTED = json.loads(INDEX.read_text())


def test_every_message_has_its_bytes() -> None:
    """A new kind of message needs an example on the wire: `python -m tests.signaling.golden`."""
    assert {name for name, _ in messages()} <= set(EXPECTED)
    assert {path.stem for path in FOLDER.glob("*.bin")} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_golden_bytes_are_still_read(name: str) -> None:
    """What was on the wire once is understood today, and means the same."""
    data = (FOLDER / f"{name}.bin").read_bytes()
    assert msgpack.unpackb(data) == EXPECTED[name]
    told = json.loads(json.dumps(msgspec.to_builtins(read(name, data))))
    assert _kept(EXPECTED[name], told) == EXPECTED[name]


def _kept(expected: object, told: object) -> object:
    """What was there then; fields that have come since have defaults."""
    if isinstance(expected, dict) and isinstance(told, dict):
        return {key: _kept(value, told[key]) for key, value in expected.items()}
    if isinstance(expected, list) and isinstance(told, list) and len(expected) == len(told):
        return [_kept(one, other) for one, other in zip(expected, told, strict=True)]
    return told


def test_the_tables_of_the_protocol_are_up_to_date() -> None:
    """PROTOCOL.md says what the structs say today."""
    assert tables.main(["--check"]) == 0, "run: python -m server.signaling.tables"


def test_every_generated_block_is_in_the_document() -> None:
    """No table is forgotten."""
    text = tables.TARGET.read_text()
    assert {name for _, name, _ in tables.BLOCK.findall(text)} == set(tables.BLOCKS)
