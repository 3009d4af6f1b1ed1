# SPDX-License-Identifier: Apache-2.0
"""Write the table of docs/configuration.md from the settings themselves: `python scripts/settings.py [--check]`."""

from __future__ import annotations

import ast
import dataclasses
import re
import sys
from enum import Enum
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, get_args, get_type_hints

from server import config

TARGET: Final = Path(__file__).parents[1] / "docs" / "configuration.md"
BLOCK: Final = re.compile(r"(<!-- generated: settings -->\n).*?(<!-- end -->)", re.DOTALL)
KINDS: Final = {"tuple": "list of texts", "str": "text", "bool": "true or false", "int": "number", "Path": "path"}


def render(text: str) -> str:
    """The page with the table as it has to be."""
    return BLOCK.sub(lambda block: f"{block[1]}{_table()}\n{block[2]}", text)


def _table() -> str:
    said, hints = _docstrings(), get_type_hints(config.Config)
    rows = [
        f"| `{item.name}` | {_kind(hints[item.name])} | {_default(item.default)} | {said[item.name]} |"
        for item in dataclasses.fields(config.Config)
    ]
    return "\n".join(("| setting | kind | default | meaning |", "| --- | --- | --- | --- |", *rows))


def _docstrings() -> dict[str, str]:
    """What stands below each field; Python itself does not keep it."""
    module = ast.parse(Path(config.__file__).read_text(encoding="utf-8"))
    body = next(node for node in module.body if isinstance(node, ast.ClassDef) and node.name == "Config").body
    return {
        field.target.id: " ".join(ast.literal_eval(text.value).split())
        for field, text in pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr)
    }


def _kind(hint: Any) -> str:  # noqa: ANN401 - any type
    if isinstance(hint, type) and issubclass(hint, Enum):
        return " or ".join(f"`{member.value}`" for member in hint)
    names = {getattr(one, "__name__", "") for one in (getattr(hint, "__origin__", None), hint, *get_args(hint))}
    return next(word for name, word in KINDS.items() if name in names)


def _default(value: object) -> str:
    if value in {None, "", ()}:
        return "-"
    if isinstance(value, Enum):
        return f"`{value.value}`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def main(arguments: list[str]) -> int:
    """Write the page; with `--check` only say whether it is as it has to be."""
    text = TARGET.read_text(encoding="utf-8")
    fresh = render(text)
    if "--check" in arguments:
        return int(fresh != text)
    TARGET.write_text(fresh, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
