# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import msgspec
import pytest

from server.rooms.events import Event, RoomOpened, SeatBound
from server.rooms.state import RoomView
from tests.rooms.mirror import apply
from tests.rooms.recorded import GOLDEN, VIEWERS, golden

RECORDED: dict[str, Any] = msgspec.json.decode(GOLDEN.read_bytes())


def view(fields: object) -> RoomView:
    """A view as it is read from the file."""
    return msgspec.convert(fields, RoomView)


def test_the_recording_is_fresh() -> None:
    """The file is what the command writes; after a change: python -m tests.rooms.recorded."""
    assert GOLDEN.read_bytes() == golden()


@pytest.mark.parametrize("name", VIEWERS)
def test_folding_the_recording_reaches_the_recorded_views(name: str) -> None:
    """Whoever folds what they receive, as told in the head of the recorder, has the view that the server shows."""
    seen = view(RECORDED[name]["first"])
    for item in RECORDED[name]["items"]:
        if "view" in item:
            seen = view(item["view"])
            continue
        expected = view({**msgspec.to_builtins(seen), **item["after"]})
        for event in msgspec.convert(item["events"], tuple[Event, ...]):
            seen = apply(seen, event)
        assert seen == expected


def test_the_recording_has_every_event_that_a_client_may_receive() -> None:
    """A client that folds the recording correctly has met all of them."""
    met = {event["type"] for name in VIEWERS for item in RECORDED[name]["items"] for event in item.get("events", ())}
    known = {kind.__struct_config__.tag for kind in Event.__args__}
    assert known - met == {RoomOpened.__struct_config__.tag, SeatBound.__struct_config__.tag}
