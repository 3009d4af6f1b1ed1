# SPDX-License-Identifier: Apache-2.0
"""One example of every message, as bytes that both languages must be able to read for good.

`python -m tests.signaling.golden` writes what is missing and never what is there: a message that was once on the wire
must still be understood when its struct has got new fields.
"""

from __future__ import annotations

import json
import types
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, NewType, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct

from server.ports import Epoch, Seq
from server.rooms.events import Event
from server.signaling.messages import (
    Acknowledgement,
    ClientCommand,
    CommandFrame,
    Connect,
    ConnectRefused,
    Events,
    Notice,
    Snapshot,
    Ticket,
    TicketRequest,
    Welcome,
)

FOLDER = Path(__file__).parents[1] / "golden" / "wire"
INDEX = FOLDER / "messages.json"

NUMBERS = {"epoch": 1_795_299_334_000, "now_ms": 1_795_299_401_220, "seq": 41, "first": 40, "to": 41, "protocol": 1}
TEXTS = {"to": "b1", "placement": "b1", "text": "Grüße, ¿qué tal? 🙂", "name": "Zoë", "sdp": "v=0\r\n"}


def messages() -> Iterator[tuple[str, Struct]]:
    """A name and an example for every kind of message."""
    for struct in (Connect, ConnectRefused, TicketRequest, Ticket, Snapshot):
        yield struct.__name__, example(struct)
    for command in get_args(ClientCommand):
        yield f"command-{_tag(command)}", CommandFrame(example(_hint(CommandFrame, "id")), example(command))
    for event in get_args(Event):
        yield f"event-{_tag(event)}", Events(Epoch(NUMBERS["epoch"]), Seq(40), Seq(41), 5, (example(event),))
    for notice in (*get_args(Notice), *get_args(Acknowledgement)):
        yield f"{_tag(notice)}", example(notice)
    welcome = example(Welcome)
    yield "welcome-view", msgspec.structs.replace(welcome, tail=None)
    yield "welcome-tail", msgspec.structs.replace(welcome, view=None)


def read(name: str, data: bytes) -> Struct:
    """Decode as the receiver of this message does."""
    kinds: dict[str, Any] = {
        "Connect": Connect,
        "ConnectRefused": ConnectRefused,
        "TicketRequest": TicketRequest,
        "Ticket": Ticket,
    }
    group = name.split("-", maxsplit=1)[0]
    default = {"command": CommandFrame, "event": Events, "welcome": Welcome, "Snapshot": Snapshot}.get(group)
    message: Struct = msgspec.msgpack.decode(data, type=kinds.get(name, default or Notice | Acknowledgement))
    return message


def _tag(struct: type[Struct]) -> str:
    return str(struct.__struct_config__.tag)


def _hint(struct: type[Struct], name: str) -> object:
    return get_type_hints(struct, include_extras=True)[name]


def example(hint: Any, name: str = "") -> Any:  # noqa: ANN401 - a value of any type
    """A value of this type in which every field is filled."""
    if isinstance(hint, NewType):
        return example(hint.__supertype__, name)
    if isinstance(hint, type) and issubclass(hint, Struct):
        hints = get_type_hints(hint, include_extras=True)
        return hint(**{info.name: example(hints[info.name], info.name) for info in msgspec.structs.fields(hint)})
    if isinstance(hint, type) and issubclass(hint, Enum):
        return list(hint)[-1]
    return _scalar(hint, name) if get_origin(hint) is None else _composed(hint, name)


def _scalar(hint: Any, name: str) -> Any:  # noqa: ANN401
    values = {str: TEXTS.get(name, f"{name or 'one'}-1"), int: NUMBERS.get(name, 7), bool: True, float: 0.5}
    return values[hint]


def _composed(hint: Any, name: str) -> Any:  # noqa: ANN401
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        least = max((meta.ge or 0 for meta in arguments[1:] if isinstance(meta, Meta)), default=0)
        return max(least, value) if isinstance(value := example(arguments[0], name), int) else value
    if origin is tuple:
        return (example(arguments[0], name),)
    if origin is dict:
        return {example(arguments[0], "key"): example(arguments[1], name)}
    if origin in (Union, types.UnionType):
        return example(next(part for part in arguments if part is not type(None)), name)
    raise TypeError(hint)


def main() -> None:
    """Write what is missing."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    index = json.loads(INDEX.read_text()) if INDEX.exists() else {}
    for name, message in messages():
        if name not in index:
            (FOLDER / f"{name}.bin").write_bytes(msgspec.msgpack.encode(message))
            index[name] = msgspec.to_builtins(message)
    INDEX.write_text(json.dumps(index, ensure_ascii=False, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
