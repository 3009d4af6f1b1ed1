# SPDX-License-Identifier: Apache-2.0
"""What the built page weighs on its way to a phone with a weak link, compressed as the server sends it at the least."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Final

DIST: Final = Path(__file__).parents[2] / "clients" / "web" / "dist"
KIB: Final = 1024
BEFORE_JOINING: Final = 60 * KIB
"""The page, its style and one language, with the panel of help that needs no connection: at 64 kbit/s, 8 s."""
IN_THE_ROOM: Final = 100 * KIB
"""With the room and Socket.IO, which come while people read the agreement."""
EVERYTHING: Final = 121 * KIB
"""With the panels of moderators; one language."""
PANELS: Final = ("AgendaPanel", "BoardPanel")


def weight(file: Path) -> int:
    """Bytes by gzip."""
    return len(gzip.compress(file.read_bytes(), 9))


def test_the_page_stays_light() -> None:
    """Nobody waits long for the door; what only moderators need is not sent to others."""
    files = {file.name: weight(file) for file in (DIST / "assets").iterdir() if file.suffix in (".js", ".css")}
    page = DIST / "index.html"
    named = re.findall(r"assets/([\w.-]+\.(?:js|css))", page.read_text())
    language = next(size for name, size in files.items() if name.startswith("en-"))
    begin = weight(page) + sum(files[name] for name in named) + language
    rest = {name: size for name, size in files.items() if name not in named and not name.startswith(("en-", "es-"))}
    panels = sum(size for name, size in rest.items() if name.startswith(PANELS))
    inside = begin + sum(rest.values()) - panels
    assert panels > 10 * KIB
    assert begin < BEFORE_JOINING, begin
    assert inside < IN_THE_ROOM, inside
    assert inside + panels < EVERYTHING, inside + panels
