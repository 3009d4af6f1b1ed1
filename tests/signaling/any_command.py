# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: ANN401 - values of any kind, also wrong ones
"""Random commands: well-formed ones about people and things that may be there, and ones that are damaged somewhere."""

from __future__ import annotations

import math
import random
import types
from enum import Enum
from typing import Annotated, Any, Final, Literal, NewType, Union, get_args, get_origin, get_type_hints

from msgspec import Meta, Struct, UnsetType
from msgspec.structs import fields

from server.signaling.messages import ClientCommand

KINDS: Final[tuple[type[Struct], ...]] = get_args(ClientCommand)
RARE: Final = ("leave", "end_session", "remove", "deny")
NONSENSE: Final[tuple[Any, ...]] = (
    *(None, True, -1, 1 << 31, (1 << 53) + 1, (1 << 64) - 1, -(1 << 63), 0.5, math.nan, math.inf, 1e300),
    *("", " ", "\0", "\u202e", "\N{ZERO WIDTH JOINER}" * 40, "x" * 3000, "../..", "__proto__", "{p}", "%n", "é" * 41),
    *(b"", b"\xff\xfe", [], [[[[[[]]]]]], [None] * 600, {}, {"type": "leave"}, {1: 2}, {"": {"": {"": {}}}}),
)


class Talker:
    """Makes commands; `names` are those of people, places and things that may exist."""

    def __init__(self, seed: int, names: dict[str, list[Any]]) -> None:
        self.chance = random.Random(seed)
        self.names = names

    def command(self) -> dict[str, Any]:
        """One of any kind, sound more often than not."""
        kind = self.chance.choice(KINDS)
        tag = str(kind.__struct_config__.tag)
        if tag in RARE and self.chance.random() < 0.97:
            return self.command()
        made = {"type": tag} | self._filled(kind)
        return made if self.chance.random() < 0.7 else self._damaged(made)

    def _damaged(self, made: dict[str, Any]) -> dict[str, Any]:
        key = self.chance.choice(list(made))
        match self.chance.randrange(4):
            case 0:
                del made[key]
            case 1:
                made[self.chance.choice(["x", "", "by", "placement", "at_ms", "\0"])] = self._nonsense()
            case 2:
                made["type"] = self.chance.choice([self._nonsense(), "admit", "room_opened", "take_seat"])
            case _:
                made[key] = self._nonsense()
        return made

    def _nonsense(self) -> Any:
        return self.chance.choice(NONSENSE)

    def _filled(self, kind: type[Struct]) -> dict[str, Any]:
        hints = get_type_hints(kind, include_extras=True)
        return {
            info.encode_name: self._value(hints[info.name], info.name)
            for info in fields(kind)
            if info.required or self.chance.random() < 0.5
        }

    def _value(self, hint: Any, name: str, meta: tuple[Meta, ...] = ()) -> Any:
        if name in self.names and (hint is int or isinstance(hint, NewType)):
            return self.chance.choice(self.names[name])
        if isinstance(hint, NewType):
            return self.chance.choice(self.names.get(hint.__name__, ["x"])) if hint.__supertype__ is str else 1
        if isinstance(hint, type) and issubclass(hint, Struct):
            return self._filled(hint)
        if isinstance(hint, type) and issubclass(hint, Enum):
            return self.chance.choice(list(hint)).value
        origin, arguments = get_origin(hint), get_args(hint)
        if origin is Annotated:
            return self._value(arguments[0], name, tuple(each for each in arguments[1:] if isinstance(each, Meta)))
        if origin is tuple:
            return [self._value(arguments[0], name) for _ in range(self.chance.randint(1, 4))]
        if origin in (Union, types.UnionType):
            return self._value(self.chance.choice([part for part in arguments if part is not UnsetType]), name)
        return self._scalar(hint, meta)

    def _scalar(self, hint: Any, meta: tuple[Meta, ...]) -> Any:
        if hint is type(None) or hint is Literal:
            return None
        if hint is bool:
            return self.chance.random() < 0.5
        if hint is int:
            low = max((each.ge for each in meta if each.ge is not None), default=0)
            high = min((each.le for each in meta if each.le is not None), default=5)
            return self.chance.choice([low, high, self.chance.randint(int(low), max(int(low), int(high)))])
        return self.chance.choice(["a", "Grüße", "x" * 30, "two words", "\N{CHEROKEE LETTER GO}"])
