# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from pathlib import Path

from server.signaling.reference import PAGES, reference
from server.signaling.schema import StructSchema, UnionSchema, definitions

WIRE = Path(__file__).parents[1] / "golden" / "wire"
EXAMPLES = {path.stem: path.read_bytes() for path in WIRE.glob("*.bin")}
KNOWN = {item.name: item for item in definitions()}


def members(name: str) -> list[StructSchema]:
    """The messages of a union."""
    match KNOWN[name]:
        case UnionSchema(members=names):
            return [struct for each in names for struct in members(each)]
        case StructSchema() as struct:
            return [struct]
        case _:
            raise TypeError(name)


def test_every_message_has_its_place() -> None:
    """Each kind on its page, with what its docstring says and with each of its fields."""
    pages = reference({})
    for page, (_, roots) in PAGES.items():
        sections = dict(re.findall(r"(?ms)^### (\S+)\n(.*?)(?=^##|\Z)", pages[f"{page}.md"]))
        wanted = [struct for root in roots for struct in members(root)]
        assert list(sections) == [struct.tag or struct.name for struct in wanted]
        for struct in wanted:
            text = sections[struct.tag or struct.name]
            assert struct.doc in text
            assert all(f"| `{field.name}` |" in text for field in struct.fields)


def test_whatever_is_not_a_message_is_a_value() -> None:
    """Structs inside messages, enumerations and names of plain values are all explained somewhere."""
    pages = reference({})
    told = {name for text in pages.values() for name in re.findall(r"(?m)^### (\S+)", text)}
    missing = [
        item.name
        for item in KNOWN.values()
        if not isinstance(item, UnionSchema) and not {item.name, getattr(item, "tag", None)} & told
    ]
    assert missing == []


def test_links_name_a_heading() -> None:
    """Each type that a field leads to is there."""
    pages = reference({})
    headings = {name: set(map(str.lower, re.findall(r"(?m)^### (\S+)", text))) for name, text in pages.items()}
    links = {found for text in pages.values() for found in re.findall(r"\]\((\w+\.md)(?:#(\w+))?\)", text)}
    assert len(links) > 50
    assert [link for link in links if link[1] and link[1] not in headings[link[0]]] == []


def test_commands_and_events_are_shown_as_they_are_sent() -> None:
    """What was recorded for the tests of the wire: the message itself, without what carries it."""
    pages = reference(EXAMPLES)
    assert '"text": "Gr\u00fc\u00dfe' in pages["commands.md"]
    for page in ("commands", "events"):
        bare = [text for text in re.split(r"(?m)^### ", pages[f"{page}.md"])[1:] if "```json" not in text]
        assert len(bare) <= 8, [text.split()[0] for text in bare]


def test_rights_and_costs_are_told() -> None:
    """Who may send a command, and what it takes of the budget."""
    commands = reference({})["commands.md"]
    assert re.search(r"### admit\n\n[^#]*?Who: [^#]*`moderator`[^#]*\. Where: [^#]*\. When: ", commands)
