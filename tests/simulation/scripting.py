# SPDX-License-Identifier: Apache-2.0
"""The scripts as Redis runs them: in Lua 5.1, with Redis's own rules for what goes in and what comes out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from lupa import lua51

from tests.simulation.store import Reply

Call = Callable[[list[bytes]], Reply]

_LUA: Final = lua51.LuaRuntime(encoding=None, register_eval=False, register_builtins=False)
_SET_UP: Final = _LUA.eval(b"function(call) redis = {call = call} end")
_table: Final = _LUA.table_from


class _Desk:
    """Passes what a script asks for to the server that runs it."""

    def __init__(self) -> None:
        self.call: Call | None = None

    def __call__(self, *args: object) -> object:
        if self.call is None:
            raise RuntimeError("no script is running")
        return into_lua(self.call([word(arg) for arg in args]))


_DESK: Final = _Desk()
_SET_UP(_DESK)


@lru_cache(maxsize=256)
def sha_of(source: str) -> str:
    """The name under which Redis keeps a script."""
    return hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()


@lru_cache(maxsize=256)
def _compiled(source: str) -> Any:  # noqa: ANN401 - a Lua function
    return _LUA.execute(b"return function(KEYS, ARGV) " + source.encode() + b"\nend")


def run(source: str, keys: list[bytes], arguments: list[bytes], call: Call) -> Reply:
    """The reply of a script; `call` executes one command for it."""
    outer, _DESK.call = _DESK.call, call
    try:
        return from_lua(_compiled(source)(_table(keys), _table(arguments)))
    finally:
        _DESK.call = outer


def word(value: object) -> bytes:
    """An argument of a command as it is sent."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("Lua redis() command arguments must be strings or integers")
    return b"%d" % value if isinstance(value, int) else f"{value:.17g}".encode()


def into_lua(reply: Reply) -> object:
    """A reply as a script sees it."""
    if isinstance(reply, list):
        return _table([into_lua(part) for part in reply])
    return False if reply is None else reply


def from_lua(value: object) -> Reply:
    """What a script returns, as a reply."""
    if isinstance(value, bool):
        return 1 if value else None
    if value is None or isinstance(value, bytes | int):
        return value
    if isinstance(value, float):
        return int(value)
    parts: list[Reply] = []
    table: Any = value
    while (part := table[len(parts) + 1]) is not None:
        parts.append(from_lua(part))
    return parts
