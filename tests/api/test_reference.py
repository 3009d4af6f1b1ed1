# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re

from server.api.openapi import description
from server.api.reference import METHODS, page

DESCRIPTION = description("https://groups.example.org")
PAGE = page(DESCRIPTION)


def test_every_call_is_told() -> None:
    """With its method and path, what it takes, and each of its answers."""
    for path, item in DESCRIPTION["paths"].items():
        for method in METHODS:
            if method in item:
                (section,) = re.findall(rf"(?ms)^`{method.upper()} {re.escape(path)}`$(.*?)(?=^###? |\Z)", PAGE)
                told = set(re.findall(r"(?m)^\| (\d{3}) \|", section))
                assert told == item[method]["responses"].keys()


def test_every_body_is_told() -> None:
    """Each field of each, or each value; and every link leads to one."""
    sections = dict(re.findall(r"(?ms)^### (\w+)\n(.*?)(?=^###? |\Z)", PAGE.partition("## Bodies")[2]))
    schemas = DESCRIPTION["components"]["schemas"]
    assert sections.keys() == schemas.keys()
    for name, schema in schemas.items():
        assert all(f"| `{field}` |" in sections[name] for field in schema.get("properties", {}))
        assert all(f"`{value}`" in sections[name] for value in schema.get("enum", ()))
    assert set(re.findall(r"\]\(#(\w+)\)", PAGE)) <= {name.lower() for name in sections}
