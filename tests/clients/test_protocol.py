# SPDX-License-Identifier: Apache-2.0
"""What the Python client understands of the server, by what the server has written down."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from holdspace_client import Mirror
from holdspace_client.protocol.rooms.events import Event
from holdspace_client.protocol.rooms.state import RoomView
from holdspace_client.protocol.signaling.messages import (
    Acknowledgement,
    CommandFrame,
    Connect,
    ConnectRefused,
    Events,
    Notice,
    RoomMessage,
    Snapshot,
    Ticket,
    TicketRequest,
)

GOLDEN = Path(__file__).parents[1] / "golden"
RECORDED: dict[str, Any] = msgspec.json.decode((GOLDEN / "session.json").read_bytes())
WIRE: dict[str, Any] = msgspec.json.decode((GOLDEN / "wire" / "messages.json").read_bytes())
KINDS: dict[str, Any] = {
    "Connect": Connect,
    "ConnectRefused": ConnectRefused,
    "TicketRequest": TicketRequest,
    "Ticket": Ticket,
    "Snapshot": RoomMessage,
    "event": RoomMessage,
    "welcome": RoomMessage,
    "command": CommandFrame,
    "ok": Acknowledgement,
    "reject": Acknowledgement,
}
"""By the first word of the file's name; all others are notices."""


@pytest.mark.parametrize("viewer", RECORDED)
def test_a_recorded_session_is_followed(viewer: str) -> None:
    """After each entry the folded view is what the server would have shown."""
    mirror = Mirror()
    expected = RECORDED[viewer]["first"]
    mirror.apply(Snapshot(1, 0, 0, msgspec.convert(expected, RoomView)))
    for seq, item in enumerate(RECORDED[viewer]["items"], 1):
        if "view" in item:
            expected = item["view"]
            mirror.apply(Snapshot(1, seq, 0, msgspec.convert(expected, RoomView)))
        else:
            expected = expected | item["after"]
            mirror.apply(Events(1, seq, seq, 0, msgspec.convert(item["events"], tuple[Event, ...])))
        seen = {name: getattr(mirror.view, name) for name in RoomView.__struct_fields__}
        assert msgspec.json.decode(msgspec.json.encode(seen)) == expected


@pytest.mark.parametrize("name", WIRE)
def test_bytes_of_the_wire_are_understood(name: str) -> None:
    """Each message that was once on the wire is one of this client's, too."""
    kind = KINDS.get(name.partition("-")[0], Notice)
    data = msgspec.msgpack.decode((GOLDEN / "wire" / f"{name}.bin").read_bytes())
    assert msgspec.convert(data, kind) == msgspec.convert(WIRE[name], kind)


def test_the_package_comes_without_the_server() -> None:
    """Whoever imports the client imports nothing of the server, nor any media."""
    probe = "import sys, holdspace_client; print(*{name.partition('.')[0] for name in sys.modules})"
    command = [sys.executable, "-c", probe]
    loaded = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert "holdspace_client" in loaded
    assert not {"server", "loadtest", "aiortc", "av"} & set(loaded)
