# SPDX-License-Identifier: Apache-2.0
"""HTML from Python: everything that is not markup already is escaped. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


Content = str | Markup


def tag(name: str, *content: Content, **attributes: str) -> Markup:
    """An element. A trailing underscore keeps names such as `class_` apart; others become dashes."""
    written = "".join(f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"' for key, value in attributes.items())
    return Markup(f"<{name}{written}>{join(content)}</{name}>")


def join(parts: Iterable[Content]) -> Markup:
    """One after the other."""
    return Markup("".join(part if isinstance(part, Markup) else escape(part) for part in parts))


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[Content]], *, words: int = 0) -> Markup:
    """With a caption, which names the box that it scrolls in; the first cell of each row is its header.

    The last `words` columns are text, which begins at the left.
    """
    first_words = len(head) - words

    def cell(index: int, content: Content) -> Markup:
        if index == 0:
            return tag("th", content, scope="row")
        return tag("td", content, class_="words") if index >= first_words else tag("td", content)

    heads = join(
        tag("th", title, scope="col", class_="words" if index == 0 or index >= first_words else "number")
        for index, title in enumerate(head)
    )
    lines = join(tag("tr", *(cell(index, content) for index, content in enumerate(row))) for row in rows)
    inside = tag("table", tag("caption", caption), tag("thead", tag("tr", heads)), tag("tbody", lines))
    return tag("div", inside, class_="scroll", role="region", aria_label=caption, tabindex="0")


def details(summary: str, *content: Content) -> Markup:
    """Something to open."""
    return tag("details", tag("summary", summary), *content)
