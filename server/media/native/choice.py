# SPDX-License-Identifier: Apache-2.0
"""Which packet path a worker takes."""

from __future__ import annotations

from server.media.native.compiled import CompiledPath
from server.media.native.library import NotBuilt
from server.media.packet_path import PacketPath, PurePath
from server.ports import MediaPath

__all__ = ["NotBuilt", "choose"]


def choose(wanted: MediaPath) -> PacketPath:
    """The path for this setting. Raises NotBuilt when the compiled one is wanted and is not there."""
    if wanted is MediaPath.PURE:
        return PurePath()
    try:
        return CompiledPath()
    except NotBuilt as reason:
        if wanted is MediaPath.COMPILED:
            raise
        return PurePath(str(reason))
