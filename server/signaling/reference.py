# SPDX-License-Identifier: Apache-2.0
"""The protocol reference of the documentation: a page for each kind of message, from the structs and their docstrings.

What the messages mean together is told by PROTOCOL.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from itertools import groupby
from typing import Final

import msgspec

from server.errors import DISCONNECT_MESSAGES, FIRST_FINAL_DISCONNECT, REJECT_MESSAGES
from server.rooms.phases import SessionStatus
from server.rooms.roles import GRANTS, Grant
from server.rooms.state import Role
from server.signaling.limits import COSTS
from server.signaling.schema import (
    AliasSchema,
    Definition,
    EnumSchema,
    FieldSchema,
    StructSchema,
    UnionSchema,
    definitions,
)

Examples = Mapping[str, bytes]
"""Payloads as they are on the wire, by `command-KIND`, `event-KIND`, KIND, or their name."""
LONGEST_EXAMPLE: Final = 40
"""Lines."""

PAGES: Final = {
    "connecting": ("Connecting", ("Connect", "CommandFrame", "TicketRequest", "ConnectRefused", "Ticket")),
    "commands": ("Commands", ("ClientCommand",)),
    "answers": ("Answers and what the log shows", ("Acknowledgement", "RoomMessage")),
    "events": ("Events", ("Event",)),
    "notices": ("Notices", ("Notice",)),
}
ABOUT: Final = {
    "connecting": "What is said before somebody has a seat.",
    "commands": "What a client asks for: the `command` of a `CommandFrame`. Each is answered, in the order of sending.",
    "answers": "What a command is answered, and the three messages of the event named `event`.",
    "events": "What has happened in the room: the `events` of `Events` and the `tail` of a `Welcome`.",
    "notices": "What is told without a place in the log: the event named `notice`.",
    "values": "Parts of messages: structs, enumerations, and names for plain values.",
    "numbers": "Why something was refused, and why a connection ended.",
}
_WORD: Final = re.compile(r"[A-Za-z]\w*")


def reference(examples: Examples) -> dict[str, str]:
    """Markdown by file name."""
    known = {item.name: item for item in definitions()}
    shown = {page: tuple(_messages(known, roots)) for page, (_, roots) in PAGES.items()}
    places = {item.name: f"{page}.md#{_anchor(item)}" for page, items in shown.items() for _, item in items}
    places |= {name: f"{page}.md" for page, (_, roots) in PAGES.items() for name in roots if name not in places}
    rest = [item for item in known.values() if item.name not in places and not isinstance(item, UnionSchema)]
    places |= {item.name: f"values.md#{_anchor(item)}" for item in rest}
    pages = {f"{page}.md": _page(page, items, places, examples) for page, items in shown.items()}
    pages["values.md"] = _values(rest, places)
    pages["numbers.md"] = _numbers()
    return pages


def _messages(
    known: Mapping[str, Definition], names: Iterable[str], of: str = ""
) -> Iterator[tuple[str, StructSchema]]:
    """Each struct, with the name of the smallest union that it is in."""
    for name in names:
        match known[name]:
            case UnionSchema(members=members):
                yield from _messages(known, members, name)
            case StructSchema() as struct:
                yield of, struct
            case _:
                raise TypeError(name)


def _anchor(item: Definition) -> str:
    return (item.tag if isinstance(item, StructSchema) and item.tag else item.name).lower()


def _page(page: str, items: tuple[tuple[str, StructSchema], ...], places: Mapping[str, str], examples: Examples) -> str:
    parts = [f"# {PAGES[page][0]}", ABOUT[page]]
    for union, members in groupby(items, key=lambda item: item[0]):
        if union not in ("", *PAGES[page][1]):
            parts.append(f"## {_spaced(union)}")
        for _, item in members:
            parts += [f"### {item.tag or item.name}", item.doc, *_facts(item), _fields(item, places)]
            parts += _example(item, page, examples)
    return "\n\n".join(parts) + "\n"


def _spaced(name: str) -> str:
    """`AgendaCommand` as a heading."""
    words = re.findall(r"[A-Z][a-z]*", name)
    return " ".join([words[0], *(word.lower() for word in words[1:])])


def _facts(item: StructSchema) -> list[str]:
    """Who may send a command, where and when, and what it costs of the rate limit."""
    grants: dict[str, Grant] = {kind.__name__: grant for kind, grant in GRANTS.items()}
    costs = {kind.__name__: cost for kind, cost in COSTS.items()}
    found = []
    if (grant := grants.get(item.name)) is not None:
        found += [f"Who: {_listed(grant.roles, Role)}.", f"Where: {grant.where.name.lower()}."]
        found += [f"When: {_listed(grant.statuses, SessionStatus)}."]
    if item.name in costs:
        found += [f"Cost: {costs[item.name]:g}."]
    return [" ".join(found)] if found else []


def _listed(chosen: frozenset[Enum], of: type[Enum]) -> str:
    return "all" if chosen == frozenset(of) else ", ".join(f"`{one.value}`" for one in of if one in chosen)


def _fields(item: StructSchema, places: Mapping[str, str]) -> str:
    if not item.fields:
        return "No fields."
    rows = [f"| `{field.name}` | {_type(field.type, places)} | {_more(field)} |" for field in item.fields]
    return "\n".join(("| Field | Type | Bounds |", "| --- | --- | --- |", *rows))


def _type(text: str, places: Mapping[str, str]) -> str:
    """A type expression in which each name leads to its definition."""
    text = text.replace("readonly ", "").replace("<", "&lt;").replace(">", "&gt;").replace("[]", "&#91;&#93;")

    def link(found: re.Match[str]) -> str:
        return f"[{found[0]}]({places[found[0]]})" if found[0] in places else found[0]

    return f"<code>{_WORD.sub(link, text)}</code>".replace("|", "\\|")


def _more(field: FieldSchema) -> str:
    parts = [field.limits] if field.limits else []
    if field.optional:
        default = field.default.value if isinstance(field.default, Enum) else field.default
        plain = isinstance(default, str | int | float | bool)
        parts.append(f"may be left out: `{json.dumps(default)}`" if plain else "may be left out")
    return "; ".join(parts)


def _example(item: StructSchema, page: str, examples: Examples) -> list[str]:
    """What was recorded, as JSON would have it; of commands and events without what carries them."""
    names = (f"{page[:-1]}-{item.tag}", item.tag or "", item.name)
    payload = next((examples[name] for name in names if name in examples), None)
    if payload is None:
        return []
    value = msgspec.msgpack.decode(payload)
    match page:
        case "commands":
            value = value["command"]
        case "events":
            value = value["events"][0]
        case _:
            pass
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return [f"```json\n{text}\n```"] if text.count("\n") < LONGEST_EXAMPLE else []


def _values(items: Iterable[Definition], places: Mapping[str, str]) -> str:
    parts = ["# Values", ABOUT["values"]]
    for item in sorted(items, key=lambda each: each.name):
        parts.append(f"### {item.name}")
        match item:
            case StructSchema():
                parts += [item.doc, _fields(item, places)]
            case EnumSchema():
                parts += [item.doc, ", ".join(f"`{json.dumps(value)}`" for _, value in item.members) + "."]
            case AliasSchema():
                parts.append(f"A <code>{item.type}</code>.")
            case UnionSchema():
                raise TypeError(item.name)
    return "\n\n".join(parts) + "\n"


def _numbers() -> str:
    rejects = [f"| {int(code)} | `{code.name.lower()}` | {text} |" for code, text in REJECT_MESSAGES.items()]
    ends = [
        f"| {int(code)} | `{code.name.lower()}` | {'yes' if code < FIRST_FINAL_DISCONNECT else 'no'} | {text} |"
        for code, text in DISCONNECT_MESSAGES.items()
    ]
    return "\n".join(
        (
            f"# Numbers\n\n{ABOUT['numbers']}\n\n## A command was refused\n",
            "| Code | Reason | Message |\n| --- | --- | --- |",
            *rejects,
            "\n## A connection was refused, or ended\n",
            "| Code | Reason | Come back by yourself | Message |\n| --- | --- | --- | --- |",
            *ends,
            "",
        )
    )
