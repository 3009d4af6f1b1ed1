# SPDX-License-Identifier: Apache-2.0
"""Write the generated parts of PROTOCOL.md: `python -m server.signaling.tables [--check]`."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from pathlib import Path
from typing import Final, TypeVar

from msgspec import Struct

from server.errors import DISCONNECT_MESSAGES, FIRST_FINAL_DISCONNECT, REJECT_MESSAGES
from server.rooms.phases import SessionStatus
from server.rooms.roles import GRANTS
from server.rooms.state import Role
from server.signaling import door, limits, outbox, transport
from server.signaling.codec import MAX_CONNECT_BYTES
from server.signaling.schema import (
    EnumSchema,
    FieldSchema,
    StructSchema,
    UnionSchema,
    constants,
    definitions,
)

AnyEnum = TypeVar("AnyEnum", bound=Enum)

TARGET: Final = Path(__file__).with_name("PROTOCOL.md")
BLOCK: Final = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
NAMED_FIRST: Final = ("Connect", "Resume", "ConnectRefused", "CommandFrame", "TicketRequest", "Ticket", "RoomInfo")


def render(text: str) -> str:
    """The document with its generated blocks as they have to be."""
    return BLOCK.sub(lambda block: f"{block[1]}{BLOCKS[block[2]]()}\n{block[3]}", text)


def _structs() -> dict[str, StructSchema]:
    return {item.name: item for item in definitions() if isinstance(item, StructSchema)}


def _members(union: str) -> list[StructSchema]:
    """The structs of a union, through the unions inside it."""
    unions = {item.name: item for item in definitions() if isinstance(item, UnionSchema)}
    structs, found = _structs(), list[StructSchema]()
    for name in unions[union].members:
        found += _members(name) if name in unions else [structs[name]]
    return found


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [head, ["---"] * len(tuple(head)), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _field(field: FieldSchema) -> str:
    limits_ = f" ({field.limits})" if field.limits else ""
    default = f" = {_value(field.default)}" if field.optional and field.default is not None else ""
    return f"`{field.name}{'?' if field.optional else ''}: {field.type}{default}`{limits_}"


def _value(value: object) -> str:
    return json.dumps(value.value if isinstance(value, Enum) else value, default=lambda _: "...")


def _fields(struct: StructSchema) -> str:
    return "<br>".join(_field(field) for field in struct.fields) or "-"


def _union(name: str) -> str:
    rows = ([f"`{item.tag}`", _fields(item), _line(item.doc)] for item in _members(name))
    return _table(("`type`", "fields", "meaning"), rows)


def _line(text: str) -> str:
    return " ".join(text.split())


def _values() -> str:
    """Structs that are part of messages, not messages themselves."""
    plain = [item for item in _structs().values() if item.tag is None and item.name not in NAMED_FIRST]
    return _table(("name", "fields", "meaning"), ([f"`{item.name}`", _fields(item), _line(item.doc)] for item in plain))


def _named() -> str:
    structs = _structs()
    rows = ([f"`{name}`", _fields(structs[name]), _line(structs[name].doc)] for name in NAMED_FIRST)
    return _table(("name", "fields", "meaning"), rows)


def _rights() -> str:
    tags = {struct.name: struct.tag for struct in _members("RoomCommand")}
    rows = [
        (
            f"`{tags[command.__name__]}`",
            _listed(grant.roles, Role),
            grant.where.name.lower(),
            _listed(grant.statuses, SessionStatus),
        )
        for command, grant in GRANTS.items()
    ]
    return _table(("command", "roles", "where", "states of the session"), rows)


def _listed(chosen: frozenset[AnyEnum], of: type[AnyEnum]) -> str:
    return "all" if chosen == frozenset(of) else ", ".join(f"`{one.value}`" for one in of if one in chosen)


def _enums() -> str:
    enums = [item for item in definitions() if isinstance(item, EnumSchema) and isinstance(item.members[0][1], str)]
    rows = ([f"`{item.name}`", ", ".join(f"`{value}`" for _, value in item.members), _line(item.doc)] for item in enums)
    return _table(("name", "values", "meaning"), rows)


def _rejects() -> str:
    rows = ([str(int(code)), f"`{code.name.lower()}`", text] for code, text in REJECT_MESSAGES.items())
    return _table(("code", "reason", "message"), rows)


def _disconnects() -> str:
    rows = (
        [str(int(code)), f"`{code.name.lower()}`", "yes" if code < FIRST_FINAL_DISCONNECT else "no", text]
        for code, text in DISCONNECT_MESSAGES.items()
    )
    return _table(("code", "reason", "come back by yourself", "message"), rows)


def _constants() -> str:
    own = {
        "FROM_ONE_ADDRESS": door.FROM_ONE_ADDRESS,
        "MAX_UNAUTHENTICATED": transport.MAX_UNAUTHENTICATED,
        "MAX_CONNECT_BYTES": MAX_CONNECT_BYTES,
        "MAX_OUTBOX_BYTES": outbox.MAX_OUTBOX_BYTES,
    }
    seconds = {
        "MAX_OUTBOX_AGE_S": outbox.MAX_OUTBOX_AGE_S,
        "HEADER_DEADLINE_S": door.HEADER_DEADLINE_S,
        "AUTH_DEADLINE_S": transport.AUTH_DEADLINE_S,
        "PING_INTERVAL_S": transport.PING_INTERVAL_S,
        "PING_TIMEOUT_S": transport.PING_TIMEOUT_S,
    }
    rows = [[f"`{name}`", f"`{json.dumps(value)}`"] for name, value in (*constants(), *own.items(), *seconds.items())]
    return _table(("name", "value"), rows)


def _rates() -> str:
    rates = {
        "commands of one connection": limits.CONNECTION_RATE,
        "commands of one participant": limits.PARTICIPANT_RATE,
        "`POST /api/tickets` of one address": door.TICKET_RATE,
        "connections of one participant": limits.JOIN_RATE,
        "`media_offer` of one participant": limits.OFFER_RATE,
        "`peer_signal` of one connection": limits.SIGNAL_RATE,
        "`watch` and `playback` of one connection": limits.WATCH_RATE,
    }
    return _table(
        ("what", "tokens per second", "burst"),
        ([name, f"{rate.per_second:g}", f"{rate.burst:g}"] for name, rate in rates.items()),
    )


def _costs() -> str:
    by_type: Mapping[type[Struct], float] = {kind: limits.COSTS[kind] for kind in limits.COSTS}
    names = [[f"`{kind.__struct_config__.tag}`", f"{cost:g}"] for kind, cost in by_type.items()]
    return _table(("command", "cost"), [*names, ["anything that is not a command", f"{limits.MALFORMED_COST:g}"]])


BLOCKS: Final[dict[str, Callable[[], str]]] = {
    "named": _named,
    "commands": lambda: _union("ClientCommand"),
    "acknowledgements": lambda: _union("Acknowledgement"),
    "room_messages": lambda: _union("RoomMessage"),
    "events": lambda: _union("Event"),
    "notices": lambda: _union("Notice"),
    "values": _values,
    "enums": _enums,
    "rejects": _rejects,
    "disconnects": _disconnects,
    "constants": _constants,
    "rates": _rates,
    "costs": _costs,
    "rights": _rights,
}


def main(arguments: list[str]) -> int:
    """Write the file; with `--check` only tell whether it is up to date (exit status 1: it is not)."""
    text = TARGET.read_text()
    fresh = render(text)
    if "--check" in arguments:
        return 0 if text == fresh else 1
    TARGET.write_text(fresh)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
