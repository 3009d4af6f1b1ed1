# SPDX-License-Identifier: Apache-2.0
"""The client package has the server's words as classes of its own; tests that compare the two translate."""

from __future__ import annotations

from typing import Any

import msgspec


def as_(kind: Any, value: object) -> Any:  # noqa: ANN401 - a class, or a union of some
    """The same message (view, command, ...) in the words of this class, the server's or the client's."""
    return msgspec.convert(msgspec.to_builtins(value), kind)
