# SPDX-License-Identifier: Apache-2.0
"""Puts the built web client into the wheel, when it has been built (`make web`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUILT = {
    Path("clients/web/dist/index.html"): "server/web",
    Path("clients/web/dist-report/report.js"): "loadtest/report/assets",
}
"""A file of each web build, and where its folder goes."""


class WebClientHook(BuildHookInterface[Any]):
    """An editable install needs nothing: the server finds the web client beside its package."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the web client as `server/web`, and script and style of load-test reports."""
        if version == "editable":
            return
        for file, place in BUILT.items():
            built = Path(self.root) / file
            if built.is_file():
                build_data["force_include"][str(built.parent)] = place
            else:
                self.app.display_warning(f"{file.parent} is not built: this wheel does without it")
