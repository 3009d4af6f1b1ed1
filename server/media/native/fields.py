# SPDX-License-Identifier: Apache-2.0
"""Fields of Python objects that lie in C memory: what C counts, everybody reads."""

from __future__ import annotations

from typing import Any


def integer(name: str) -> Any:  # noqa: ANN401
    """An integer that lies in `struct` of its object."""

    def get(owner: Any) -> int:  # noqa: ANN401
        return int(getattr(owner.struct, name))

    def put(owner: Any, value: int) -> None:  # noqa: ANN401
        setattr(owner.struct, name, value)

    return property(get, put)


def real(name: str) -> Any:  # noqa: ANN401
    """The same for a number with a fraction."""

    def get(owner: Any) -> float:  # noqa: ANN401
        return float(getattr(owner.struct, name))

    def put(owner: Any, value: float) -> None:  # noqa: ANN401
        setattr(owner.struct, name, value)

    return property(get, put)
