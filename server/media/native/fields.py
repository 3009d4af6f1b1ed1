# SPDX-License-Identifier: Apache-2.0
"""Fields of Python objects that lie in C memory: what C counts, everybody reads."""

from __future__ import annotations

from typing import Any, Protocol

from server.media.native.library import CData


class InC(Protocol):
    """What has a part of itself in the memory of C."""

    struct: CData


def integer(name: str) -> Any:  # noqa: ANN401 - a property, which its class declares as a number
    """An integer that lies in `struct` of its object."""

    def get(owner: InC) -> int:
        return int(getattr(owner.struct, name))

    def put(owner: InC, value: int) -> None:
        setattr(owner.struct, name, value)

    return property(get, put)


def real(name: str) -> Any:  # noqa: ANN401 - as above
    """The same for a number with a fraction."""

    def get(owner: InC) -> float:
        return float(getattr(owner.struct, name))

    def put(owner: InC, value: float) -> None:
        setattr(owner.struct, name, value)

    return property(get, put)
