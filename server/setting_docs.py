# SPDX-License-Identifier: Apache-2.0
"""What is to be known of each setting, from where it is declared: for the terminal and for the documentation."""

from __future__ import annotations

import ast
import dataclasses
from enum import Enum
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, get_args, get_type_hints

from msgspec import Struct

from server import config

KINDS: Final = {"tuple": "list of texts", "str": "text", "bool": "true or false", "int": "number", "Path": "path"}


class SettingDoc(Struct, frozen=True):
    """One setting. `default` is None where nothing is set."""

    name: str
    kind: str
    default: str | None
    text: str

    @property
    def variable(self) -> str:
        """The environment variable."""
        return config.ENV_PREFIX + self.name.upper()


def setting_docs() -> tuple[SettingDoc, ...]:
    """All settings, in their order."""
    said, hints = _docstrings(), get_type_hints(config.Config)
    return tuple(
        SettingDoc(item.name, _kind(hints[item.name]), _default(item.default), said[item.name])
        for item in dataclasses.fields(config.Config)
    )


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
        return " or ".join(member.value for member in hint)
    names = {getattr(one, "__name__", "") for one in (getattr(hint, "__origin__", None), hint, *get_args(hint))}
    return next(word for name, word in KINDS.items() if name in names)


def _default(value: object) -> str | None:
    if value in {None, "", ()}:
        return None
    if isinstance(value, Enum):
        return str(value.value)
    return str(value).lower() if isinstance(value, bool) else str(value)
