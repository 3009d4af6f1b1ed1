# SPDX-License-Identifier: Apache-2.0
"""The wire's structs as data, for the generators of TypeScript and of the tables in PROTOCOL.md.

Everything is read from the modules that define the messages: what can be reached from the roots below, in the order
in which it is written there. Type expressions are in TypeScript's syntax; the documentation uses the same.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Iterable, Iterator
from enum import Enum
from functools import cache
from types import ModuleType
from typing import Annotated, Any, Final, NewType, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from server import errors, ids, ports
from server.rooms import commands, events, phases, state
from server.signaling import messages

MODULES: Final = (ids, errors, phases, state, commands, events, ports, messages)
CONSTANTS_OF: Final = (ids, errors, state, ports, messages)

INBOUND: Final[tuple[Any, ...]] = (messages.Connect, messages.CommandFrame, messages.TicketRequest)
"""What clients send; a field with a default may be left out."""

OUTBOUND: Final[tuple[Any, ...]] = (
    messages.ConnectRefused,
    messages.Acknowledgement,
    messages.RoomMessage,
    messages.Notice,
    messages.Ticket,
)
"""What the server sends; every field is always there."""

SCALARS: Final[dict[object, str]] = {str: "string", int: "number", float: "number", bool: "boolean", type(None): "null"}


class FieldSchema(Struct, frozen=True):
    """One field as it is on the wire. `type` is a TypeScript type expression, `limits` plain words (or empty)."""

    name: str
    type: str
    optional: bool
    default: object
    limits: str


class StructSchema(Struct, frozen=True):
    """One message or part of one; `tag` is the value of its `type` field (None: not part of a union)."""

    name: str
    tag: str | None
    doc: str
    fields: tuple[FieldSchema, ...]


class EnumSchema(Struct, frozen=True):
    """Names and values, in order."""

    name: str
    doc: str
    members: tuple[tuple[str, str | int], ...]


class UnionSchema(Struct, frozen=True):
    """A named choice of other types."""

    name: str
    members: tuple[str, ...]


class AliasSchema(Struct, frozen=True):
    """An opaque identifier or number."""

    name: str
    type: str


Definition = StructSchema | EnumSchema | UnionSchema | AliasSchema


def definitions() -> Iterator[Definition]:
    """All that a client has to know, in the order of the source."""
    seen: set[str] = set()
    for module in MODULES:
        for name, value in vars(module).items():
            if name not in seen and (definition := _definition(module, name, value)) is not None:
                seen.add(name)
                yield definition


def constants() -> Iterator[tuple[str, str | int | tuple[int, ...]]]:
    """The limits and fixed words that both sides share."""
    for module in CONSTANTS_OF:
        for name, value in vars(module).items():
            if name.isupper() and (isinstance(value, int | str) or _is_numbers(value)):
                yield name, value


def _is_numbers(value: object) -> bool:
    return isinstance(value, tuple) and all(isinstance(item, int) for item in value)


def _definition(module: ModuleType, name: str, value: object) -> Definition | None:
    if isinstance(value, NewType):
        return AliasSchema(name, expression(value.__supertype__)) if value.__module__ == module.__name__ else None
    if isinstance(value, types.UnionType):
        parts = get_args(value)
        return UnionSchema(name, tuple(_grouped(parts, but=name))) if set(parts) <= _reachable() else None
    if not isinstance(value, type) or value not in _reachable() or value.__module__ != module.__name__:
        return None
    if issubclass(value, Enum):
        return EnumSchema(name, inspect.getdoc(value) or "", tuple((item.name, item.value) for item in value))
    return struct_schema(value) if issubclass(value, Struct) else None


def struct_schema(cls: type[Struct]) -> StructSchema:
    """The struct with its fields as they are encoded."""
    hints = get_type_hints(cls, include_extras=True)
    tag = cls.__struct_config__.tag
    inbound_only = cls not in _reachable_from(OUTBOUND)
    fields = tuple(
        FieldSchema(
            name=info.encode_name,
            type=expression(hints[info.name]),
            optional=inbound_only and not info.required,
            default=None if info.default is UNSET else info.default,
            limits=_limits(hints[info.name]),
        )
        for info in msgspec.structs.fields(cls)
    )
    return StructSchema(cls.__name__, None if tag is None else str(tag), inspect.getdoc(cls) or "", fields)


def expression(hint: object) -> str:
    """A Python type hint as a TypeScript type."""
    if hint in SCALARS:
        return SCALARS[hint]
    if isinstance(hint, type | NewType) and get_origin(hint) is None:
        return hint.__name__
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return expression(arguments[0])
    if origin is tuple:
        return f"readonly {_parenthesised(expression(arguments[0]))}[]"
    if origin is dict:
        return f"Readonly<Record<{expression(arguments[0])}, {expression(arguments[1])}>>"
    if origin in (Union, types.UnionType):
        return " | ".join(_grouped([part for part in arguments if part is not UnsetType]))
    raise TypeError(f"no TypeScript for {hint!r}")


def _parenthesised(text: str) -> str:
    return f"({text})" if " " in text else text


def _grouped(parts: Iterable[Any], but: str = "") -> list[str]:
    """The members of a union, with every named union inside it called by its own name."""
    left: list[Any] = list(parts)
    for name, members in _named_unions():
        if name == but or not members <= set(left):
            continue
        at = min(left.index(member) for member in members)
        left = (
            [part for part in left[:at] if part not in members]
            + [_Named(name)]
            + [part for part in left[at:] if part not in members]
        )
    return [part.name if isinstance(part, _Named) else expression(part) for part in left]


class _Named(Struct, frozen=True):
    name: str


@cache
def _named_unions() -> tuple[tuple[str, frozenset[Any]], ...]:
    """The unions that have a name, the largest first."""
    found = {
        name: frozenset(get_args(value))
        for module in MODULES
        for name, value in vars(module).items()
        if isinstance(value, types.UnionType) and set(get_args(value)) <= _reachable()
    }
    return tuple(sorted(found.items(), key=lambda item: -len(item[1])))


@cache
def _reachable() -> frozenset[Any]:
    return _reachable_from(INBOUND) | _reachable_from(OUTBOUND)


@cache
def _reachable_from(roots: tuple[Any, ...]) -> frozenset[Any]:
    """Structs and enums that occur in these types, at any depth."""
    found: set[Any] = set()
    waiting = list(roots)
    while waiting:
        hint = waiting.pop()
        waiting += get_args(hint) if get_origin(hint) is not Annotated else get_args(hint)[:1]
        if not isinstance(hint, type) or hint in found:
            continue
        if issubclass(hint, Struct):
            found.add(hint)
            waiting += get_type_hints(hint, include_extras=True).values()
        elif issubclass(hint, Enum):
            found.add(hint)
    return frozenset(found)


def _limits(hint: object) -> str:
    """What `Meta` demands, in words; of a union what it demands of one of its members."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return ", ".join(filter(None, map(_limits, arguments)))
    if origin is not Annotated:
        return f"each {inner}" if origin is tuple and (inner := _limits(arguments[0])) else ""
    inner = _limits(arguments[0])
    unit = "items" if get_origin(arguments[0]) is tuple else "characters"
    words = []
    for meta in (extra for extra in arguments[1:] if isinstance(extra, Meta)):
        words += [f"at least {meta.min_length} {unit}"] if meta.min_length is not None else []
        words += [f"at most {meta.max_length} {unit}"] if meta.max_length is not None else []
        words += [f"{meta.ge} or more"] if meta.ge is not None else []
        words += [f"{meta.le} or less"] if meta.le is not None else []
    return ", ".join([*words, *filter(None, [inner])])
