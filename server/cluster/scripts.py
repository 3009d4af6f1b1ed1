# SPDX-License-Identifier: Apache-2.0
"""The Lua scripts of the log.

Scripts by hash (EVALSHA), not a function library: a library is installed under a name on every primary, so that an old
and a new node side by side would replace each other's, and needs rights that a managed Redis may not give. A script is
known by its own content; NOSCRIPT means that nothing was executed, so that sending its source then is no second try.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

_FOLDER: Final = Path(__file__).with_name("lua")


class Script:
    """One script: its source and the name under which Redis keeps it."""

    def __init__(self, name: str, *, shared: bool = True) -> None:
        names = ("common", name) if shared else (name,)
        self.source: Final = "\n".join((_FOLDER / f"{part}.lua").read_text() for part in names)
        self.sha: Final = hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest()


APPEND: Final = Script("append")
CREATE: Final = Script("create")
DUE: Final = Script("due", shared=False)
FORGET: Final = Script("forget")
LOAD: Final = Script("load")
NEWS: Final = Script("news", shared=False)
POSITIONS: Final = Script("positions", shared=False)
READ: Final = Script("read")
RESTORE: Final = Script("restore")
ROOMS: Final = Script("rooms", shared=False)
TOLD: Final = Script("told", shared=False)
TIME: Final = Script("time", shared=False)
