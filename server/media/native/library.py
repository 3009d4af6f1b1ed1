# SPDX-License-Identifier: Apache-2.0
"""Loads the compiled packet path, if it has been built from the present sources."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final, TypeAlias

from cffi import FFI

from server.media.native.build import HEADERS, LIBRARY, checksum, compiler

_COMMENTS: Final = re.compile(r"/\*.*?\*/", re.DOTALL)

ffi: Final = FFI()
for header in HEADERS:
    ffi.cdef(_COMMENTS.sub("", header.read_text(encoding="ascii")))


CData: TypeAlias = Any
"""Memory of C, or a function there: cffi has no types."""


class NotBuilt(Exception):
    """There is no library that fits; the message says why."""


def load(library: Path = LIBRARY) -> CData:
    """The functions of the headers. Raises NotBuilt when it is not there, or was built from other sources."""
    if not library.is_file():
        raise NotBuilt("it was not built" if compiler() else "no compiler found")
    try:
        functions = ffi.dlopen(str(library))
    except OSError as error:
        raise NotBuilt(str(error)) from error
    # What both sides take for the same memory must have the same shape.
    if functions.built_from() != checksum():
        raise NotBuilt("it was built from other sources")
    return functions
