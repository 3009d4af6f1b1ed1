# SPDX-License-Identifier: Apache-2.0
"""Memory that costs nothing before it is used: what a connection may need at its busiest most need never."""

from __future__ import annotations

import mmap

from server.media.native.library import CData, ffi


def zeroed(kind: str, count: int) -> CData:
    """So many numbers of this C type on pages of their own; the kernel finds a place for one when it is written to.

    Private, so that the kernel joins neighbours: a process has only so many mappings.
    """
    pages = mmap.mmap(-1, count * ffi.sizeof(kind), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return ffi.from_buffer(f"{kind}[]", pages, require_writable=True)
