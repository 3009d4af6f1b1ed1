# SPDX-License-Identifier: Apache-2.0
"""What sendmmsg and recvmmsg share: messages in the kernel's form, in memory that stays where it is."""

from __future__ import annotations

import struct
import sys
from typing import Any, Final

from cffi import FFI

BATCHES: Final = sys.platform == "linux" and sys.byteorder == "little" and struct.calcsize("P") == 8
MESSAGE: Final = struct.Struct("@PIPNPNi0PI0P")
"""struct mmsghdr: name, vectors, control, flags, and how much was sent or received; native layout."""

_ffi: Final = FFI()


def memory(size: int) -> tuple[Any, int, memoryview]:
    """Zeroed memory: the pointer that owns it, its number, and a view of it."""
    owner = _ffi.new("char[]", size)
    return owner, address_of(owner), memoryview(_ffi.buffer(owner))


def address_of(pointer: Any) -> int:  # noqa: ANN401 - cffi has no types
    """Where it points to."""
    return int(_ffi.cast("uintptr_t", pointer))
