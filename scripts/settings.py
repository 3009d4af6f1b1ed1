# SPDX-License-Identifier: Apache-2.0
"""Write the table of docs/configuration.md from the settings themselves: `python scripts/settings.py [--check]`."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Final

from server.setting_docs import setting_docs

TARGET: Final = Path(__file__).parents[1] / "docs" / "configuration.md"
BLOCK: Final = re.compile(r"(<!-- generated: settings -->\n).*?(<!-- end -->)", re.DOTALL)


def render(text: str) -> str:
    """The page with the table as it has to be."""
    return BLOCK.sub(lambda block: f"{block[1]}{_table()}\n{block[2]}", text)


def _table() -> str:
    rows = [
        f"| `{each.name}` | {_kind(each.kind)} | {'-' if each.default is None else f'`{each.default}`'} | {each.text} |"
        for each in setting_docs()
    ]
    return "\n".join(("| setting | kind | default | meaning |", "| --- | --- | --- | --- |", *rows))


def _kind(kind: str) -> str:
    """Values that may be written stand in code."""
    values = kind.split(" or ")
    return kind if kind == "true or false" or len(values) == 1 else " or ".join(f"`{value}`" for value in values)


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
