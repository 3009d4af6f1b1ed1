# SPDX-License-Identifier: Apache-2.0
"""Which packet path the circles and stages of a test have: see the fixture `packet_path`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from server.media.native.build import build
from server.media.native.compiled import CompiledPath
from server.media.packet_path import PacketPath, PurePath


@cache
def compiled_library() -> Path:
    """Built from the present sources, with more warnings than an installation asks for.

    `make sanitize` has it watch over its memory, too.
    """
    library = Path(tempfile.mkdtemp(prefix="holdspace-")) / "fan.so"
    problem = build(library, ("-Wconversion", "-Wshadow", "-Wpedantic", *os.environ.get("FAN_FLAGS", "").split()))
    assert problem is None, problem
    return library


def compiled_path() -> CompiledPath:
    """A compiled path of its own."""
    return CompiledPath(compiled_library())


class Chosen:
    """What `make` makes is used where a test names no path."""

    make: Callable[[], PacketPath] = PurePath
