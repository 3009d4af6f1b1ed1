# SPDX-License-Identifier: Apache-2.0
"""Script and style of the HTML report, as the web build left them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from msgspec import Struct

_INSTALLED: Final = Path(__file__).parent / "assets"
_CHECKOUT: Final = Path(__file__).parents[2] / "clients" / "web" / "dist-report"


class NotBuilt(OSError):
    """There is no web build."""


class Assets(Struct, frozen=True):
    """Both are written into the report."""

    script: str
    style: str


def assets() -> Assets:
    """From the installed package, or from a checkout. Raises NotBuilt."""
    for folder in (_INSTALLED, _CHECKOUT):
        if (folder / "report.js").is_file():
            return Assets((folder / "report.js").read_text(), (folder / "report.css").read_text())
    raise NotBuilt("the HTML report needs the web build: run `make web`, or leave --html out")
