# SPDX-License-Identifier: Apache-2.0
"""A page for the documentation, made from the OpenAPI description: every call of the API and what goes in and out."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

METHODS: Final = ("get", "post", "put", "delete")
_SCHEMAS: Final = "#/components/schemas/"

INTRODUCTION: Final = """# API reference

Made from what the server itself says at `GET /api/v1/openapi.json`. How the calls belong together, and how to sign for
them, is on [For care platforms](../platforms.md).
"""


def page(description: Mapping[str, Any]) -> str:
    """Markdown: calls first, then the bodies."""
    calls = [part for path, item in description["paths"].items() for part in _calls(path, item)]
    schemas = description["components"]["schemas"]
    bodies = [part for name in sorted(schemas) for part in _body(name, schemas[name])]
    return "\n\n".join((INTRODUCTION.rstrip(), "## Calls", *calls, "## Bodies", *bodies)) + "\n"


def _calls(path: str, item: Mapping[str, Any]) -> Iterator[str]:
    for method in METHODS:
        if method not in item:
            continue
        call = item[method]
        yield f"### {call['summary']}"
        yield f"`{method.upper()} {path}`"
        if "description" in call:
            yield _plain(call["description"])
        parameters = [*item.get("parameters", ()), *call.get("parameters", ())]
        queries = [f"| `{each['name']}` | {_kind(each['schema'])} | {each['description']} |" for each in parameters]
        if queries:
            yield "\n".join(("| Parameter | Type | |", "| --- | --- | --- |", *queries))
        if "requestBody" in call:
            yield f"Takes {_content(call['requestBody'])}."
        answers = [
            f"| {status} | {answer['description']} | {_content(answer)} |"
            for status, answer in call["responses"].items()
        ]
        yield "\n".join(("| Status | When | Body |", "| --- | --- | --- |", *answers))


def _content(part: Mapping[str, Any]) -> str:
    kinds = [
        f"{_kind(content['schema'])}{'' if media.endswith('json') else f' (`{media}`)'}"
        for media, content in part.get("content", {}).items()
    ]
    return " or ".join(kinds) or "-"


def _body(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    yield f"### {name}"
    if "description" in schema:
        yield _plain(schema["description"])
    if "enum" in schema:
        yield ", ".join(f"`{value}`" for value in schema["enum"]) + "."
        return
    required = schema.get("required", ())
    rows = [
        f"| `{field}` | {_kind(of)} | {_more(of, required=field in required)} |"
        for field, of in schema.get("properties", {}).items()
    ]
    if rows:
        yield "\n".join(("| Field | Type | |", "| --- | --- | --- |", *rows))


def _kind(schema: Mapping[str, Any]) -> str:
    """A type; of the page's own bodies with a link."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(_SCHEMAS)
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_kind(each) for each in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}"
    return str(schema.get("type", "anything"))


def _more(schema: Mapping[str, Any], *, required: bool) -> str:
    parts = [] if required or "default" not in schema else [f"default `{json.dumps(schema['default'])}`"]
    for each in (schema, *schema.get("anyOf", ())):
        if "description" in each:
            parts.append(_plain(each["description"]))
        parts += [f"{words} {each[key]}" for key, words in _BOUNDS.items() if key in each]
    return "; ".join(part.rstrip(".") for part in parts)


_BOUNDS: Final = {
    "minimum": "at least",
    "maximum": "at most",
    "minLength": "characters at least",
    "maxLength": "characters at most",
    "minItems": "items at least",
    "maxItems": "items at most",
}


def _plain(text: str) -> str:
    return " ".join(inspect.cleandoc(text).split())
